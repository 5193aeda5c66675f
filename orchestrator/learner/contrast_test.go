package learner

import (
	"slices"
	"testing"

	"go.uber.org/zap"

	"t2sda/configs"
	"t2sda/internal/raster"
	"t2sda/losses"
)

// TestContrastLearns: anchors are there for each class after an iteration, move less than
// features do, and are part of what another learner goes on from.
func TestContrastLearns(t *testing.T) {
	for _, method := range []configs.Method{configs.SePiCo, configs.CAG} {
		c := small()
		c.Method, c.Loss.Contrast.Tau = method, 0.1
		one := open(t, c, zap.NewNop())
		steps := train(t, one, 0, 2)
		means := one.memory[0]
		for class := range 3 {
			if !losses.HasAnchor(means.Data[class*16 : (class+1)*16]) {
				t.Errorf("%s: class %d has no anchor", method, class)
			}
		}
		if a, b := steps[0].Losses["contrast"], steps[1].Losses["contrast"]; !(a > 0 && b > 0) {
			t.Errorf("%s: the term goes from %g to %g", method, a, b)
		}
		other := open(t, c, zap.NewNop())
		copyState(t, other, one)
		a, b := train(t, one, 2, 4), train(t, other, 2, 4)
		for i := range a {
			if !nearLosses(a[i].Losses, b[i].Losses) {
				t.Errorf("%s, iteration %d: %v, want %v", method, a[i].Iteration, b[i].Losses, a[i].Losses)
			}
		}
	}
}

// TestContrastTargets: target pixels below the confidence and in the rims have no label.
func TestContrastTargets(t *testing.T) {
	c := small()
	c.Loss.IgnoreTop, c.Loss.IgnoreBottom, c.Train.Batch = 0, 1.0/cropSize, 1
	n := cropSize * cropSize
	teacher := &teacher{pseudo: slices.Repeat([]uint8{2}, n), confidence: slices.Repeat([]float32{0.9}, n)}
	teacher.confidence[5] = 0.5
	term := &contrastTerm{l: &Learner{cfg: c, target: teacher}, cfg: configs.Contrast{Confidence: 0.8}}
	got := term.targetLabels(batch(c, 0), teacher.of(0))
	for i, label := range got {
		want := uint8(2)
		if i == 5 || i >= n-cropSize {
			want = raster.Void
		}
		if label != want {
			t.Fatalf("pixel %d: label %d, want %d", i, label, want)
		}
	}
	if len(got) != n {
		t.Errorf("%d labels", len(got))
	}
}
