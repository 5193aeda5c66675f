package learner

import (
	"math"
	"slices"
	"testing"

	"go.uber.org/zap"

	"t2sda/configs"
	"t2sda/internal/raster"
)

func selecting(method configs.Method) configs.Config {
	c := small()
	c.Method = method
	return c
}

// TestSelection: by plain labels against each class's threshold, or by labels that the
// thresholds have weighed.
func TestSelection(t *testing.T) {
	v := uint8(raster.Void)
	size := imageBatch{2, 1, 3}
	l := &labeller{pseudo: []uint8{0, 0, 0, 0, 1, 1}, confidence: []float32{0, 0, 0, 0.7, 0.7, 0.9}}
	if got, want := l.pass(1, size, []float32{0.7, 0.8}), []uint8{0, v, 1}; !slices.Equal(got, want) {
		t.Errorf("plain: %v, want %v", got, want)
	}
	l.balanced, l.margin = []uint8{0, 0, 0, 1, 0, 1}, []float32{0, 0, 0, 0.1, -0.1, 0}
	if got, want := l.pass(1, size, nil), []uint8{1, v, 1}; !slices.Equal(got, want) {
		t.Errorf("weighed: %v, want %v", got, want)
	}
}

// TestLabeller: equal thresholds leave labels as they are, with a margin of log p/θ; a class
// whose threshold is next to nothing takes all; without thresholds nothing uncertain passes.
func TestLabeller(t *testing.T) {
	l := open(t, selecting(configs.CBST), zap.NewNop())
	b := batch(l.cfg, 0)
	teacher, err := newLabeller(l, true)
	if err != nil {
		t.Fatal(err)
	}
	l.own(teacher)
	run := func(thresholds ...float32) {
		if err := teacher.run(t.Context(), b.Target, thresholds); err != nil {
			t.Fatal(err)
		}
	}
	run(0.4, 0.4, 0.4)
	for i, p := range teacher.confidence {
		if want := math.Log(float64(p) / 0.4); math.Abs(float64(teacher.margin[i])-want) > 1e-5 || teacher.balanced[i] != teacher.pseudo[i] {
			t.Fatalf("pixel %d: margin %g, want %g; label %d, want %d", i, teacher.margin[i], want, teacher.balanced[i], teacher.pseudo[i])
		}
	}
	run(0.5, 0.5, 1e-6)
	if slices.Min(teacher.balanced) != 2 || !(slices.Min(teacher.margin) > 0) {
		t.Error("a threshold of 1e-6 does not take all")
	}
	run(0, 0, 0)
	if slices.Max(teacher.margin) > 0 {
		t.Errorf("without thresholds there is a margin of %g", slices.Max(teacher.margin))
	}
}

// TestPortion: CBST's portion goes from the first to the last iteration of adaptation, and
// is what is selected of each class; IAST's goes with the threshold.
func TestPortion(t *testing.T) {
	c := selecting(configs.CBST)
	c.Train.Iterations, c.Train.AdaptAfter = 14, 0.25 // from 4 to 13
	term := &selectTerm{l: &Learner{cfg: c}, cfg: c.Selects()}
	for it, want := range map[int]float64{4: 0.2, 7: 0.3, 13: 0.5} {
		if got := term.share(it)(0.9); math.Abs(got-want) > 1e-12 {
			t.Errorf("iteration %d: portion %g, want %g", it, got, want)
		}
	}
	c.Method = configs.IAST
	term.cfg = c.Selects()
	if got, want := term.share(5)(0.9), 0.2*math.Pow(0.9, 8); got != want {
		t.Errorf("share %g, want %g", got, want)
	}
	if s := c.Selects(); s.Rule != configs.RuleIAST || s.Smooth != 0.1 || s.Certain != 3 || s.Portion != 0 {
		t.Errorf("iast: %+v", s)
	}
}

// TestSelectLearns: labels are selected, thresholds move, and a learner that takes over the
// state, thresholds included, goes on as the one that it is of.
func TestSelectLearns(t *testing.T) {
	for _, method := range []configs.Method{configs.CBST, configs.IAST} {
		c := selecting(method)
		one := open(t, c, zap.NewNop())
		begin := slices.Clone(one.memory[0].Data)
		steps := train(t, one, 0, 3)
		if slices.Equal(begin, one.memory[0].Data) || slices.Max(one.memory[0].Data) > 1 {
			t.Errorf("%s: thresholds go from %v to %v", method, begin, one.memory[0].Data)
		}
		if s := steps[2].Selected; method == configs.CBST && !(s > 0.05 && s < 0.6) || s >= 1 {
			t.Errorf("%s: a share of %g is labelled", method, s)
		}
		other := open(t, c, zap.NewNop())
		copyState(t, other, one)
		a, b := train(t, one, 3, 5), train(t, other, 3, 5)
		for i := range a {
			if !nearLosses(a[i].Losses, b[i].Losses) || a[i].Selected != b[i].Selected {
				t.Errorf("%s, iteration %d: %v, want %v", method, a[i].Iteration, b[i].Losses, a[i].Losses)
			}
		}
	}
}
