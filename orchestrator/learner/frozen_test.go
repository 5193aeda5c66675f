package learner

import (
	"context"
	"maps"
	"math"
	"slices"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"t2sda/configs"
	"t2sda/datasets"
	"t2sda/graphs/engine/enginetest"
)

// keeping is small with the feature distance of boxes and discs, from the
// program's own pretrained encoder.
func keeping() configs.Config {
	c := small()
	c.Model.Init = "mit_nano"
	c.Loss.FeatureDistance = configs.FeatureDistance{Weight: 0.05, Classes: []string{"box", "disc"}, Ratio: 0.3} // cells are 32×32
	return c
}

// TestFeatureDistance trains with the term and holds the run against one without
// it: the same cross-entropy at first, another course from then on, and a frozen
// encoder that stays what it was.
func TestFeatureDistance(t *testing.T) {
	c := keeping()
	trained := open(t, c, zap.NewNop())
	start, student := slices.Clone(content(t, trained.frozen.encoder)), content(t, trained.state.student)
	if n := len(start); !slices.Equal(start, student[:n]) || n == len(student) {
		t.Fatalf("%d values of the state's %d are frozen, or others", n, len(student))
	}
	first := featuresOf(t, trained.frozen)
	with := train(t, trained, 0, c.Train.Iterations)
	if !slices.Equal(start, content(t, trained.frozen.encoder)) || !slices.Equal(first, featuresOf(t, trained.frozen)) {
		t.Error("the frozen encoder has changed")
	}
	c.Loss.FeatureDistance.Weight = 0
	without := train(t, open(t, c, zap.NewNop()), 0, c.Train.Iterations)
	counted := 0
	for i, s := range with {
		distance, ok := s.Losses["feature_distance"]
		if !ok || !(distance >= 0) {
			t.Errorf("iteration %d: losses %v", i, s.Losses)
		}
		if distance > 0 {
			counted++
		}
		if _, ok := without[i].Losses["feature_distance"]; ok {
			t.Errorf("iteration %d: a distance without weight is recorded", i)
		}
	}
	if counted == 0 {
		t.Error("no crop had a position that counts")
	}
	for _, term := range []string{"source", "mix", "pull"} {
		if a, b := with[0].Losses[term], without[0].Losses[term]; !near(a, b) {
			t.Errorf("%s is %v with the distance, %v without, before the first step", term, a, b)
		}
	}
	last := len(with) - 1
	if with[last].GradNorm == without[last].GradNorm {
		t.Error("the distance did not change the course of training")
	}
}

// featuresOf runs the frozen encoder on a fixed image.
func featuresOf(t *testing.T, f *frozen) []float32 {
	t.Helper()
	for i := range f.image {
		f.image[i] = float32(i % 251)
	}
	if err := f.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	return slices.Clone(content(t, f.features))
}

// TestFeatureDistanceGradient runs the supervised pass without any pixel: the
// gradient is the weight times the distance's, 0 without positions, and finite
// before the first step, where the student is the frozen encoder.
func TestFeatureDistanceGradient(t *testing.T) {
	c := keeping()
	c.Method, c.Model.DropPath, c.Model.Dropout = configs.SelfTraining, 0, 0
	gradient := func(weight float64, positions float32, moved bool) (float32, []float32) {
		c.Loss.FeatureDistance.Weight = weight
		trained := open(t, c, zap.NewNop())
		f, s := trained.frozen, trained.state
		featuresOf(t, f)
		copy(trained.supervised.image, f.image)
		if moved {
			student := content(t, s.student)
			for i := range student {
				student[i] *= 1 + 0.05*float32(i%3)
			}
			if err := s.student.Write(student, 0); err != nil {
				t.Fatal(err)
			}
		}
		for i := range f.weights {
			f.weights[i] = positions
		}
		if _, err := trained.supervised.run(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		return f.distance[0], slices.Clone(content(t, s.grads))
	}
	once, one := gradient(1, 0.125, true)
	twice, two := gradient(2, 0.125, true)
	if once <= 0 || !near(float64(once), float64(twice)) {
		t.Errorf("the distance is %g with weight 1, %g with weight 2", once, twice)
	}
	tolerance := 1e-37 // subnormal numbers are rounded
	if enginetest.OnDevice() {
		tolerance = 1e-5 * norm2(one)
	}
	for i := range one {
		if math.Abs(float64(two[i]-2*one[i])) > tolerance {
			t.Fatalf("gradient %d is %g with weight 1, %g with weight 2", i, one[i], two[i])
		}
	}
	if norm := norm2(one); !(norm > 0) {
		t.Errorf("the gradient's norm is %g", norm)
	}
	none, zeros := gradient(1, 0, true)
	if none != 0 || norm2(zeros) != 0 {
		t.Errorf("without positions: distance %g, gradient's norm %g", none, norm2(zeros))
	}
	equal, finite := gradient(1, 0.125, false)
	if equal > 1e-3*once || math.IsNaN(norm2(finite)) || math.IsInf(norm2(finite), 0) {
		t.Errorf("of equal encoders: distance %g, gradient's norm %g", equal, norm2(finite))
	}
}

// labelled returns a batch with one label everywhere.
func labelled(c configs.Config, label uint8) *datasets.Batch {
	b := batch(c, 0)
	for _, l := range b.SourceLabels {
		for i := range l.Pix {
			l.Pix[i] = label
		}
	}
	return b
}

// step trains one iteration on b.
func step(t *testing.T, l *Learner, b *datasets.Batch) Step {
	t.Helper()
	s, err := l.Iterate(t.Context(), 0, func(context.Context) (*datasets.Batch, error) { return b, nil })
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestFeatureDistanceIsOfLabelledImages: L_T's run takes no distance, and neither
// does a batch without things.
func TestFeatureDistanceIsOfLabelledImages(t *testing.T) {
	c := keeping()
	trained := open(t, c, zap.NewNop())
	if d := step(t, trained, labelled(c, 1)).Losses["feature_distance"]; !(d > 0) { // stochastic depth moves the student's features
		t.Errorf("all boxes: distance %g", d)
	}
	if w := trained.frozen.weights; slices.Max(w) != 0 {
		t.Errorf("what follows L_S has weights %v", w)
	}
	if d := trained.frozen.distance[0]; d != 0 { // of L_T, which ran last
		t.Errorf("on mixed images: distance %g", d)
	}
	if d := step(t, trained, labelled(c, 0)).Losses["feature_distance"]; d != 0 {
		t.Errorf("all ground: distance %g", d)
	}
}

// TestFeatureDistanceTakesOneDomain: source images where L_S sees any, translated
// ones where it sees nothing else.
func TestFeatureDistanceTakesOneDomain(t *testing.T) {
	for domain, losses := range map[string][]string{
		configs.DomainSource: {"feature_distance", "mix", "pull", "source"},
		configs.DomainPseudo: {"feature_distance", "mix", "pseudo", "pull"},
		configs.DomainBoth:   {"feature_distance", "mix", "pseudo", "pull", "source"},
	} {
		c := keeping()
		c.Loss.CEDomain = domain
		trained, b := open(t, c, zap.NewNop()), labelled(c, 2)
		if got := slices.Sorted(maps.Keys(step(t, trained, b).Losses)); !slices.Equal(got, losses) {
			t.Errorf("%s: recorded %v, want %v", domain, got, losses)
		}
		want := b.Source
		if domain == configs.DomainPseudo {
			want = b.Pseudo
		}
		if n := len(want[0].Pix); !slices.Equal(trained.frozen.image[:n], want[0].Pix) {
			t.Errorf("%s: the frozen encoder has seen other images", domain)
		}
	}
}

// TestFeatureDistanceNeedsInitialWeights: without them the term is off, and one
// line says so; methods that are cross-entropy alone never have it.
func TestFeatureDistanceNeedsInitialWeights(t *testing.T) {
	c := keeping()
	for _, k := range []struct {
		method   configs.Method
		init     string
		warnings int
	}{{configs.T2S, "", 1}, {configs.SourceOnly, "mit_nano", 0}, {configs.SourceOnly, "", 0}} {
		c.Method, c.Model.Init = k.method, k.init
		core, logs := observer.New(zap.WarnLevel)
		if f := open(t, c, zap.New(core)).frozen; f != nil || logs.FilterMessageSnippet("feature_distance is off: model.init is empty").Len() != k.warnings {
			t.Errorf("%s from %q: %v, log %v", k.method, k.init, f, logs.All())
		}
	}
}
