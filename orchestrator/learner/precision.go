package learner

import (
	"go.uber.org/zap"

	"t2sda/configs"
	"t2sda/graphs"
	"t2sda/graphs/program"
)

// usePrecision makes programs compute products as configured, and tells where the device
// cannot.
func (l *Learner) usePrecision() (err error) {
	configured := l.cfg.Precision()
	dtype, low := map[string]graphs.DType{configs.BF16: graphs.BFloat16, configs.FP16: graphs.Float16}[configured]
	if !low {
		return nil
	}
	p, err := program.NewPrecision(l.engine, dtype)
	if err != nil {
		return err
	}
	l.state.precision = p
	if dtype == graphs.Float16 {
		l.scaling = newLossScale()
		l.state.lossScale = []float32{float32(l.scaling.Scale)}
	}
	l.tellPrecision(configured, dtype, p)
	return nil
}

// tellPrecision says what the device lacks of a precision.
func (l *Learner) tellPrecision(configured string, dtype graphs.DType, p program.Precision) {
	missing := p.Missing()
	if len(missing) == 0 {
		return
	}
	setting, device := "runtime.precision="+configured, zap.String("device", l.engine.Info().Device)
	if p.Rounded() {
		l.log.Warn(setting+": the runtime has no products in "+dtype.String()+" here. They are rounded to it and computed"+
			" in float32, which learns the same as a device that has them, and is slower than fp32", device)
		return
	}
	l.log.Info(setting+": these operators stay float32, for want of a kernel", device, zap.Strings("operators", missing))
}
