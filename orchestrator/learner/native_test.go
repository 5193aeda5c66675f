package learner

import (
	"maps"
	"math"
	"slices"
	"testing"

	"go.uber.org/zap"

	"t2sda/configs"
	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
)

// TestNative: with the program's own kernels that are to be exact a run is that of ONNX Runtime's, to the bit:
// what each of its sessions computes, teacher and families of terms included. With all of them it differs by
// what is rounded otherwise.
func TestNative(t *testing.T) {
	if enginetest.OnDevice() {
		t.Skip("kernels of our own are for the CPU")
	}
	of := func(method configs.Method, change func(c *configs.Config)) configs.Config {
		c := small()
		if c.Method = method; change != nil {
			change(&c)
		}
		return c
	}
	for name, c := range map[string]configs.Config{
		"t2s":         of(configs.T2S, nil),
		"daformer":    of(configs.T2S, func(c *configs.Config) { c.Model.Head, c.Model.DropPath = "daformer", 0.5 }),
		"recomputed":  of(configs.SourceOnly, func(c *configs.Config) { c.Train.Recompute = configs.RecomputeBlocks }),
		"resnet":      of(configs.SelfTraining, func(c *configs.Config) { c.Model.Encoder, c.Model.Head, c.Model.Init = "resnet_nano", "deeplabv2", "" }),
		"views":       of(configs.SAC, nil),
		"cluster":     clustering(),
		"regions":     regional(),
		"adversarial": classHostile(),
		"hrda":        smallHRDA(),
	} {
		t.Run(name, func(t *testing.T) {
			var steps [3][]Step
			var ends [3][]float32
			var start []float32
			for i, kernels := range []engine.Kernels{engine.KernelsStock, engine.KernelsExact, engine.KernelsFast} {
				l := openOn(t, enginetest.Open(t, engine.Options{IntraOpThreads: 1, Kernels: kernels}), c, zap.NewNop(), nil)
				start = slices.Clone(content(t, l.state.student))
				steps[i], ends[i] = train(t, l, 0, 3), slices.Clone(content(t, l.state.student))
			}
			alike := func(a, b float64) bool { return math.Abs(a-b) <= 1e-5*math.Abs(a) }
			if a, b := steps[0][0], steps[2][0]; !maps.EqualFunc(a.Losses, b.Losses, alike) || !alike(a.GradNorm, b.GradNorm) {
				t.Errorf("with all kernels the first iteration is %v, norm %g; by ONNX Runtime's %v, %g", b.Losses, b.GradNorm, a.Losses, a.GradNorm)
			}
			if off, moved := apart(ends[0], ends[2]), apart(ends[0], start); off > 0.01*moved || moved == 0 {
				t.Errorf("with all kernels the weights end %g from where they do by ONNX Runtime's, after %g", off, moved)
			}
			for i, s := range steps[0] {
				if have := steps[1][i]; !nearLosses(s.Losses, have.Losses) || !near(s.GradNorm, have.GradNorm) {
					t.Errorf("iteration %d: %v, norm %g; by ONNX Runtime's kernels %v, %g", i, have.Losses, have.GradNorm, s.Losses, s.GradNorm)
				}
			}
			if !slices.Equal(ends[0], ends[1]) {
				t.Error("the weights differ")
			}
		})
	}
}

// apart is the distance of two vectors.
func apart(a, b []float32) float64 {
	d := slices.Clone(a)
	for i := range d {
		d[i] -= b[i]
	}
	return norm2(d)
}
