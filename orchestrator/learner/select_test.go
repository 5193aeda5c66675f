package learner

import (
	"math"
	"slices"
	"testing"

	"go.uber.org/zap"

	"t2sda/configs"
	"t2sda/internal/raster"
	"t2sda/losses"
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
		if err := teacher.run(t.Context(), &iteration{batch: b}, thresholds); err != nil {
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

// TestSelectInRounds: labels are those of the round, CBST's thresholds those of the whole set,
// which hold; IAST's move.
func TestSelectInRounds(t *testing.T) {
	total := &Total{}
	s, err := sure("")
	if err == nil {
		err = total.Add(s)
	}
	if err != nil || total.Histogram[2][255] != int64(s.H*s.W) {
		t.Fatalf("%v, %v", total.Histogram[2], err)
	}
	for _, method := range []configs.Method{configs.CRST, configs.IAST} {
		c := selecting(method)
		c.Train.Rounds = 1
		l := openWithSoft(t, c, sure)
		begin := slices.Clone(l.memory[0].Data)
		if err := l.BeginRound(total, 0); err != nil {
			t.Fatal(err)
		}
		want := []float32{0, 0, 1}
		if method == configs.IAST {
			want = begin
		}
		if !slices.Equal(l.memory[0].Data, want) {
			t.Errorf("%s: thresholds %v, want %v", method, l.memory[0].Data, want)
		}
		step := train(t, l, 0, 1)[0]
		area := float64(cropSize * cropSize)
		rims := math.Round(c.Loss.IgnoreTop*cropSize) + math.Round(c.Loss.IgnoreBottom*cropSize)
		if inside := 1 - rims*cropSize/area; math.Abs(step.Selected-inside) > 1e-9 {
			t.Errorf("%s: a share of %g is labelled, want %g", method, step.Selected, inside)
		}
		if moved := !slices.Equal(l.memory[0].Data, want); moved != (method == configs.IAST) {
			t.Errorf("%s: thresholds go from %v to %v", method, want, l.memory[0].Data)
		}
	}
}

// TestRecall: labels and margins of stored probabilities, weighed by thresholds.
func TestRecall(t *testing.T) {
	c := selecting(configs.CBST)
	c.Train.Rounds = 1
	l := openWithSoft(t, c, says(51, 153, 51))
	teacher, err := newLabeller(l, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := teacher.run(t.Context(), &iteration{batch: batch(c, 0)}, []float32{0, 0.9, 0.04}); err != nil {
		t.Fatal(err)
	}
	for i, p := range teacher.confidence {
		if teacher.pseudo[i] != 1 || p != levels[153] || teacher.balanced[i] != 2 || teacher.margin[i] != levels[51]-0.04 {
			t.Fatalf("pixel %d: label %d of %g, weighed %d of %g", i, teacher.pseudo[i], p, teacher.balanced[i], teacher.margin[i])
		}
	}
}

// says returns the same bytes everywhere.
func says(of ...uint8) func(string) (*Soft, error) {
	return func(string) (*Soft, error) {
		s, err := sure("")
		for i := range s.Probabilities {
			s.Probabilities[i] = of[i/(s.H*s.W)]
		}
		return s, err
	}
}

// TestLevelsPass: at each level below 255 that a set's threshold may have, pixels of that very
// level are labelled, and those of the level below it are not.
func TestLevelsPass(t *testing.T) {
	c := selecting(configs.CBST)
	c.Train.Rounds = 1
	level := 0
	l := openWithSoft(t, c, func(id string) (*Soft, error) {
		return says(uint8(level), uint8(254-level), 1)(id)
	})
	teacher, err := newLabeller(l, true)
	if err != nil {
		t.Fatal(err)
	}
	i := &iteration{batch: batch(c, 0)}
	for level = 128; level < 255; level++ {
		counts := make([]int64, 256)
		counts[level] = 1
		thresholds := []float32{levels[losses.TopShare(counts, 1)], 1, 1}
		if err := teacher.run(t.Context(), i, thresholds); err != nil {
			t.Fatal(err)
		}
		if got := teacher.pass(0, l.crops(), thresholds); slices.Max(got) != 0 {
			t.Errorf("level %d does not pass", level)
		}
		thresholds[0] = levels[level+1]
		if err := teacher.run(t.Context(), i, thresholds); err != nil {
			t.Fatal(err)
		}
		if got := teacher.pass(0, l.crops(), thresholds); slices.Min(got) != raster.Void {
			t.Errorf("level %d passes a threshold of the next", level)
		}
	}
}
