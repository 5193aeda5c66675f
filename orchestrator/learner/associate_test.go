package learner

import (
	"testing"

	"go.uber.org/zap"

	"t2sda/configs"
	"t2sda/internal/raster"
)

func associating() configs.Config {
	c := small()
	c.Method = configs.PLCA
	c.Model.Dropout = 0.1 // noise of both domains' passes
	return c
}

// TestAssociateLearns: the term, of a weight before which all else is little, becomes less on a
// batch that comes again and again.
func TestAssociateLearns(t *testing.T) {
	c := associating()
	c.Loss.Associate.Weight, c.Loss.Associate.Smooth, c.Model.Dropout = 100, 0, 0
	l := open(t, c, zap.NewNop())
	first := train(t, l, 0, 1)[0].Losses["associate"]
	last := first
	for range 20 {
		last = train(t, l, 0, 1)[0].Losses["associate"]
	}
	if !(last < 0.97*first) {
		t.Errorf("the term goes from %g to %g", first, last)
	}
}

// TestAssociateOfVoid: a batch without labels has no cycle, and is no mistake.
func TestAssociateOfVoid(t *testing.T) {
	c := associating()
	c.Loss.Associate.Smooth = 0
	l := open(t, c, zap.NewNop())
	term := l.stages[len(l.stages)-2]
	b := batch(c, 0)
	for _, labels := range b.SourceLabels {
		for i := range labels.Pix {
			labels.Pix[i] = raster.Void
		}
	}
	i := &iteration{batch: b, adapts: true, step: Step{Losses: map[string]float64{}}}
	if term.Name != configs.TermAssociate {
		t.Fatalf("stage %s", term.Name)
	}
	if err := term.run(t.Context(), i); err != nil || i.step.Losses["associate"] != 0 {
		t.Errorf("loss %g, %v", i.step.Losses["associate"], err)
	}
}
