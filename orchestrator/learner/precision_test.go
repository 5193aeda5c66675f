package learner

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"t2sda/configs"
	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
)

// in is the small configuration with products of another precision.
func in(precision string) configs.Config {
	c := small()
	c.Runtime.Precision = precision
	return c
}

// TestPrecision: losses of a few iterations are near float32's, and not the same.
// Where the device has no such products, that is told.
func TestPrecision(t *testing.T) {
	want := train(t, open(t, in(configs.FP32), zap.NewNop()), 0, 6)
	for precision, tolerance := range map[string]float64{configs.TF32: 0, configs.BF16: 0.02, configs.FP16: 0.005} {
		if precision == configs.TF32 && enginetest.OnDevice() {
			tolerance = 0.02
		}
		core, logs := observer.New(zap.InfoLevel)
		l := open(t, in(precision), zap.New(core))
		have := train(t, l, 0, 6)
		for i, h := range have {
			for term, x := range h.Losses {
				near := tolerance
				if term == "pull" && tolerance > 0 { // similarities are divided by a temperature
					if near = 3 * tolerance; i > 0 {
						near = 0.5 // which keys are drawn turns with the teacher's last digits
					}
				}
				if y := want[i].Losses[term]; !(math.Abs(x-y) <= near*y) {
					t.Errorf("%s, iteration %d: %s is %g, %g in float32", precision, i, term, x, y)
				}
			}
			if scaled := precision == configs.FP16; (h.LossScale == firstScale) != scaled || h.Overflow {
				t.Errorf("%s, iteration %d: scale %g, overflow %t", precision, i, h.LossScale, h.Overflow)
			}
		}
		low := precision != configs.TF32
		if low && have[0].GradNorm == want[0].GradNorm {
			t.Errorf("%s: nothing was rounded", precision)
		}
		if told := logs.FilterMessageSnippet("runtime.precision=" + precision).Len(); told != 0 && !low || l.state.precision.Rounded() && told != 1 {
			t.Errorf("%s: told %v", precision, logs.All())
		}
	}
}

// TestPrecisionGradient: the gradient of all parameters, unscaled, is near float32's.
func TestPrecisionGradient(t *testing.T) {
	gradient := func(precision string) (g []float32, scale float64) {
		c := in(precision)
		c.Method = configs.SourceOnly
		l := open(t, c, zap.NewNop())
		step := train(t, l, 0, 1)[0]
		return content(t, l.state.grads), max(step.LossScale, 1)
	}
	want, _ := gradient(configs.FP32)
	for precision, tolerance := range map[string]float64{configs.BF16: 0.03, configs.FP16: 0.004} {
		have, scale := gradient(precision)
		var off float64
		for i, w := range want {
			d := float64(have[i])/scale - float64(w)
			off += d * d
		}
		if off = math.Sqrt(off) / norm2(want); !(off > 0 && off <= tolerance) {
			t.Errorf("%s: the gradient is off by %g of its norm", precision, off)
		}
	}
}

// TestScaleDoesNotMatter: what is learned does not depend on the scale, but for cotangents below
// float16's normal numbers; so gradients are unscaled before they are clipped.
func TestScaleDoesNotMatter(t *testing.T) {
	c := in(configs.FP16)
	c.Train.ClipNorm = 0.5
	run := func(scale float64) []Step {
		l := open(t, c, zap.NewNop())
		if err := l.SetLossScale(&LossScale{Scale: scale}); err != nil {
			t.Fatal(err)
		}
		return train(t, l, 0, 3)
	}
	a, b := run(1<<15), run(1<<17)
	for i := range a {
		for term, x := range a[i].Losses {
			if y := b[i].Losses[term]; !(math.Abs(x-y) <= 1e-4*y) {
				t.Errorf("iteration %d: %s is %g and %g", i, term, x, y)
			}
		}
		if x, y := a[i].GradNorm, b[i].GradNorm; !(math.Abs(x-y) <= 1e-3*y) {
			t.Errorf("iteration %d: norms %g and %g", i, x, y)
		}
	}
}

// TestOverflow: an update whose scaled gradients are not finite is left out as a whole, the scale is
// halved, and training goes on as if the iteration had not been AdamW's.
func TestOverflow(t *testing.T) {
	l := open(t, in(configs.FP16), zap.NewNop())
	train(t, l, 0, 1)
	s := l.state
	arenas := []engine.Arena{s.student, s.teacher, s.moment1, s.moment2}
	before := make([][]float32, len(arenas))
	for i, a := range arenas {
		before[i] = slices.Clone(content(t, a))
	}
	const far = 1 << 60
	l.scaling.Scale = far
	step := train(t, l, 1, 2)[0]
	if !step.Overflow || step.LossScale != far || step.GradNorm != 0 || !(step.Losses["source"] > 0) {
		t.Errorf("overflowed: %+v", step)
	}
	if want := (LossScale{far / 2, 0, 1}); *l.LossScale() != want {
		t.Errorf("scale %+v, want %+v", *l.LossScale(), want)
	}
	for i, a := range arenas {
		if !slices.Equal(before[i], content(t, a)) {
			t.Errorf("arena %d has changed", i)
		}
	}
	l.scaling.Scale = firstScale
	if step := train(t, l, 2, 3)[0]; step.Overflow || !(step.GradNorm > 0) || l.scaling.Good != 1 {
		t.Errorf("then: %+v, %+v", step, *l.scaling)
	}
	if err := l.Check(); err != nil {
		t.Error(err)
	}
	l.scaling.Scale = leastScale // as if no scale were small enough
	if err := s.grads.Write([]float32{float32(math.Inf(1))}, 0); err != nil {
		t.Fatal(err)
	}
	if err := l.update(t.Context(), &iteration{index: 3}); !errors.Is(err, ErrNotFinite) || !strings.Contains(err.Error(), "norm is +Inf") {
		t.Errorf("without any scale: %v", err)
	}
}

// TestScaleIsState: with its scale, a learner goes on as another one does, to the bit; and where
// only sessions touch the state it learns the same. (The pull sums keys otherwise there.)
func TestScaleIsState(t *testing.T) {
	c := in(configs.FP16)
	c.Method = configs.SelfTraining
	one := open(t, c, zap.NewNop())
	train(t, one, 0, 1)
	one.scaling.Scale = 1 << 60
	train(t, one, 1, 2)
	one.scaling.Scale, one.scaling.Good = firstScale, growEvery-2 // so that it grows soon
	others := map[string]*Learner{}
	for name, openThere := range memories {
		others[name] = openThere(t, c)
		for i, part := range one.Parts() {
			if err := others[name].Parts()[i].Restore("one", tensors(t, part)); err != nil {
				t.Fatal(err)
			}
		}
		if err := others[name].SetLossScale(one.LossScale()); err != nil {
			t.Fatal(err)
		}
	}
	want := train(t, one, 2, 5)
	if want[2].LossScale != 2*firstScale || *one.LossScale() != (LossScale{2 * firstScale, 1, 1}) {
		t.Errorf("the scale is %+v", *one.LossScale())
	}
	for name, other := range others {
		for i, have := range train(t, other, 2, 5) {
			if w := want[i]; !nearLosses(w.Losses, have.Losses) || w.LossScale != have.LossScale {
				t.Errorf("%s, iteration %d: %v, scale %g; want %v, %g", name, w.Iteration, have.Losses, have.LossScale, w.Losses, w.LossScale)
			}
		}
	}
	for _, k := range []struct {
		precision string
		scale     *LossScale
		want      string
	}{{configs.FP16, nil, "false in the state"}, {configs.BF16, newLossScale(), "true in the state"}, {configs.FP16, &LossScale{Scale: 3}, "power of two"}} {
		if err := open(t, in(k.precision), zap.NewNop()).SetLossScale(k.scale); err == nil || !strings.Contains(err.Error(), k.want) {
			t.Errorf("%s with %v: %v", k.precision, k.scale, err)
		}
	}
}
