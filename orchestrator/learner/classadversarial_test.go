package learner

import (
	"math"
	"slices"
	"testing"

	"go.uber.org/zap"

	"t2sda/configs"
)

func classHostile() configs.Config {
	c := hostile(configs.FADA)
	c.Loss.ClassAdversarial.LR, c.Loss.ClassAdversarial.Width = 1e-3, 8
	return c
}

// TestClassDiscriminatorLearns: it begins near log 2C for each label, of which soft ones sum to
// less, and tells features of two kinds apart after some steps; it is not moved before
// train.adapt_after, and the student's gradient goes to encoder and head, not to it.
func TestClassDiscriminatorLearns(t *testing.T) {
	c := classHostile()
	c.Train.AdaptAfter = 0.5
	l := open(t, c, zap.NewNop())
	begin := slices.Clone(content(t, l.discriminators[0].state.student))
	train(t, l, 0, 1)
	if !slices.Equal(begin, content(t, l.discriminators[0].state.student)) {
		t.Error("it moved before train.adapt_after")
	}
	j, err := newClassJudge(l, l.supervised.decoded, l.supervised.shape)
	if err != nil {
		t.Fatal(err)
	}
	for i := range j.features {
		j.features[i] = float32(math.Sin(float64(i))) * 2
		if i >= len(j.features)/2 {
			j.features[i] = 1
		}
	}
	clear(j.logits) // each class is as likely
	var first, last float64
	for i := range 60 {
		loss, err := j.discriminator.learn(t.Context(), i, 5e-3)
		if err != nil {
			t.Fatal(err)
		}
		if last = loss; i == 0 {
			first = loss
		}
	}
	// Of three classes, known domains leave log 3.
	if math.Abs(first-math.Log(6)) > 0.2 || last > math.Log(3)+0.1 || last < math.Log(3)-0.01 {
		t.Errorf("its loss goes from %g to %g", first, last)
	}
}

// TestClassAdversarialAloneMoves: with nothing else, the student's steps raise what the
// discriminator, held as it is, takes for the source's classes.
func TestClassAdversarialAloneMoves(t *testing.T) {
	c := classHostile()
	c.Loss.ClassAdversarial.Weight, c.Loss.ClassAdversarial.LR = 1000, 1e-30
	l := open(t, c, zap.NewNop())
	steps := train(t, l, 0, 8)
	if a, b := steps[0].Losses["class-adversarial"], steps[7].Losses["class-adversarial"]; !(b < a) {
		t.Errorf("the judgement of target features goes from %g to %g", a, b)
	}
}

// TestTwoDiscriminators: both terms train beside each other, each with its own discriminator,
// and a learner that takes over the state goes on as the one that it is of.
func TestTwoDiscriminators(t *testing.T) {
	c := classHostile()
	c.Method = "advent+class-adversarial"
	one, other := open(t, c, zap.NewNop()), open(t, c, zap.NewNop())
	train(t, one, 0, 2)
	copyState(t, other, one)
	for _, s := range goesOn(t, one, other, 2, 4) {
		for _, name := range []string{"adversarial", "discriminator", "class-adversarial", "class_discriminator"} {
			if !(s.Losses[name] > 0) {
				t.Errorf("%s is %g", name, s.Losses[name])
			}
		}
	}
	var names []string
	for _, p := range one.Parts() {
		names = append(names, p.Name)
	}
	if !slices.Equal(names, []string{"student", "optimizer", "discriminator", "class_discriminator"}) {
		t.Errorf("parts %v", names)
	}
}

// TestClassAdversarialElsewhere: the same where only sessions may touch the state.
func TestClassAdversarialElsewhere(t *testing.T) {
	testResident(t, classHostile(), memories["guarded"])
}
