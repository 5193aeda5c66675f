package learner

import (
	"strings"

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
	device := zap.String("device", l.engine.Info().Device)
	switch missing := strings.Join(p.Missing(), ", "); {
	case p.Rounded():
		l.log.Warn("runtime.precision="+configured+": the runtime has no products in "+dtype.String()+
			" here: they are rounded to it and computed in float32, which learns the same and is slower than fp32", device)
	case missing != "":
		l.log.Info("runtime.precision="+configured+": these stay float32, for want of a kernel", device, zap.String("operators", missing))
	}
	return nil
}
