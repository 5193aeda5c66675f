package learner

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap"

	"t2sda/configs"
	"t2sda/datasets"
	"t2sda/graphs/engine"
)

// hostile is a configuration with a discriminator that learns fast.
func hostile(method configs.Method) configs.Config {
	c := small()
	c.Method, c.Loss.Adversarial.LR, c.Loss.Adversarial.Width = method, 1e-3, 4
	return c
}

// TestDiscriminatorLearns: it begins at chance and tells certain predictions from uncertain
// ones after some steps; and it is not moved before train.adapt_after.
func TestDiscriminatorLearns(t *testing.T) {
	for method, sees := range map[configs.Method]string{configs.AdaptSegNet: configs.SeesSoftmax, configs.AdvEnt: configs.SeesEntropy} {
		c := hostile(method)
		c.Train.AdaptAfter = 0.5
		l := open(t, c, zap.NewNop())
		before := slices.Clone(content(t, l.discriminators[0].state.student))
		train(t, l, 0, 1)
		d, err := newPredictionJudge(l, l.supervised.shape)
		if err != nil {
			t.Fatal(err)
		}
		if d.cfg.Input != sees || !slices.Equal(before, content(t, l.discriminators[0].state.student)) {
			t.Errorf("%s: it sees %s, or moved before train.adapt_after", method, d.cfg.Input)
		}
		for i := range d.logits[:len(d.logits)/2] {
			d.logits[i] = float32(i % 7) // the other half is uniform
		}
		clear(d.logits[len(d.logits)/2:])
		var first, last float64
		for i := range 40 {
			loss, err := d.learn(t.Context(), i, 5e-3)
			if err != nil {
				t.Fatal(err)
			}
			if last = loss; i == 0 {
				first = loss
			}
		}
		if math.Abs(first-math.Ln2) > 0.05 || last > 0.1 {
			t.Errorf("%s: its loss goes from %g to %g", method, first, last)
		}
	}
}

// TestAdversarialAloneMoves: with nothing else, the student's steps raise what the
// discriminator, held as it is, takes for the source's.
func TestAdversarialAloneMoves(t *testing.T) {
	c := hostile(configs.AdaptSegNet)
	c.Loss.Adversarial.Weight, c.Loss.Adversarial.LR = 1000, 1e-30
	l := open(t, c, zap.NewNop())
	steps := train(t, l, 0, 8)
	if a, b := steps[0].Losses["adversarial"], steps[7].Losses["adversarial"]; !(b < a) {
		t.Errorf("the judgement of target images goes from %g to %g", a, b)
	}
}

// TestAdversarialState: a learner that takes over another's state goes on as that one, which
// needs the discriminator and its moments.
func TestAdversarialState(t *testing.T) {
	one := open(t, hostile(configs.AdvEnt), zap.NewNop())
	train(t, one, 0, 2)
	other := open(t, hostile(configs.AdvEnt), zap.NewNop())
	copyState(t, other, one)
	a, b := train(t, one, 2, 4), train(t, other, 2, 4)
	for i := range a {
		if !nearLosses(a[i].Losses, b[i].Losses) {
			t.Errorf("iteration %d: %v, want %v", a[i].Iteration, b[i].Losses, a[i].Losses)
		}
	}
	names := []string{}
	for _, p := range one.Parts() {
		names = append(names, p.Name)
	}
	if got := strings.Join(names, " "); got != "student optimizer discriminator" {
		t.Errorf("parts %s", got)
	}
}

// TestAdversarialElsewhere: a discriminator whose state only sessions may touch learns the
// same.
func TestAdversarialElsewhere(t *testing.T) {
	testResident(t, hostile(configs.AdaptSegNet), memories["guarded"])
}

// TestDiscriminatorDiverges: whatever of it is no number stops the run, as its fault.
func TestDiscriminatorDiverges(t *testing.T) {
	l := open(t, hostile(configs.AdaptSegNet), zap.NewNop())
	s := l.discriminators[0].state
	for what, a := range map[string]engine.Arena{"weight": s.student, "first moment": s.moment1, "second moment": s.moment2} {
		before := content(t, a)[0]
		if err := a.Write([]float32{float32(math.NaN())}, 0); err != nil {
			t.Fatal(err)
		}
		err := l.Check()
		if !errors.Is(err, ErrNotFinite) || !errors.Is(err, ErrDiscriminator) || !strings.Contains(err.Error(), "discriminator: a "+what) {
			t.Errorf("%s: have %v", what, err)
		}
		if what == "weight" {
			_, err = l.Iterate(t.Context(), 0, func(context.Context) (*datasets.Batch, error) { return batch(l.cfg, 0), nil })
			if !errors.Is(err, ErrNotFinite) || !errors.Is(err, ErrDiscriminator) || strings.Contains(err.Error(), "\n") {
				t.Errorf("iteration: have %v", err)
			}
		}
		if err := a.Write([]float32{before}, 0); err != nil {
			t.Fatal(err)
		}
	}
	d, err := newPredictionJudge(l, l.supervised.shape)
	if err != nil {
		t.Fatal(err)
	}
	copy(d.logits, []float32{float32(math.Inf(1))})
	_, err = d.learn(t.Context(), 0, 1e-4)
	if want := "discriminator: its loss is NaN"; err == nil || err.Error() != want {
		t.Errorf("have %v, want %s", err, want)
	}
}
