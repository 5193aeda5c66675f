package learner

import (
	"slices"
	"testing"

	"go.uber.org/zap"

	"t2sda/configs"
	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
)

// TestNative: with the program's own kernels a run is that of ONNX Runtime's, to the bit: what each of
// its sessions computes, teacher and families of terms included.
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
			var steps [2][]Step
			var ends [2][]float32
			for i, stock := range []bool{true, false} {
				l := openOn(t, enginetest.Open(t, engine.Options{IntraOpThreads: 1, Stock: stock}), c, zap.NewNop(), nil)
				steps[i], ends[i] = train(t, l, 0, 3), slices.Clone(content(t, l.state.student))
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
