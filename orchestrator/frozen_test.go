package orchestrator

import (
	"errors"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"t2sda/configs"
	"t2sda/graphs/engine/enginetest"
)

// distanceConfig is shapesConfig with the feature distance of boxes and discs,
// from the program's own pretrained encoder.
func distanceConfig(root, output string) configs.Config {
	c := shapesConfig(root, output)
	c.Model.Init = "mit_nano"
	c.Loss.FeatureDistance = configs.FeatureDistance{Weight: 0.05, Classes: []string{"box", "disc"}, Ratio: 0.3} // cells are 32×32
	return c
}

// openTrainer builds c's trainer, which the test's end closes.
func openTrainer(t *testing.T, c configs.Config, log *zap.Logger) *trainer {
	t.Helper()
	e, err := openEngine(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	d, err := openData(t.Context(), c, "", e, t.TempDir(), zap.NewNop())
	if err != nil {
		t.Fatal(err)
	}
	o := quiet()
	o.Log = log
	opened, err := newTrainer(c, t.TempDir(), o, e, d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(opened.close(), d.close()); err != nil {
			t.Error(err)
		}
	})
	return opened
}

// TestFeatureDistance trains with the term and holds the run against one without
// it: the same cross-entropy at first, another course from then on, and a frozen
// encoder that stays what it was.
func TestFeatureDistance(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	c := distanceConfig(root, t.TempDir())
	c.Train.EvalEvery = 0
	trained := openTrainer(t, c, zap.NewNop())
	start := slices.Clone(trained.frozen.encoder.Floats())
	if n := len(start); !slices.Equal(start, trained.state.student.Floats()[:n]) || n == len(trained.state.student.Floats()) {
		t.Fatalf("%d values of the state's %d are frozen, or others", n, len(trained.state.student.Floats()))
	}
	first := featuresOf(t, trained.frozen)
	if err := trained.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(start, trained.frozen.encoder.Floats()) || !slices.Equal(first, featuresOf(t, trained.frozen)) {
		t.Error("the frozen encoder has changed")
	}
	with, err := ReadEvents(filepath.Join(trained.dir, eventsFile))
	if err != nil {
		t.Fatal(err)
	}
	c.Loss.FeatureDistance.Weight = 0
	dir, _ := train(t, c)
	without, err := ReadEvents(filepath.Join(dir, eventsFile))
	if err != nil {
		t.Fatal(err)
	}
	counted := 0
	for i, e := range with {
		distance, ok := e.Losses["feature_distance"]
		if !ok || !(distance >= 0) {
			t.Errorf("iteration %d: losses %v", i, e.Losses)
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
		if a, b := with[0].Losses[term], without[0].Losses[term]; a != b {
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
	if err := f.binding.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	return slices.Clone(f.features)
}

// TestFeatureDistanceGradient runs the supervised term without any pixel: the
// gradient is the weight times the distance's, 0 without positions, and finite
// before the first step, where the student is the frozen encoder.
func TestFeatureDistanceGradient(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	c := distanceConfig(root, t.TempDir())
	c.Method, c.Model.DropPath, c.Model.Dropout = configs.SelfTraining, 0, 0
	gradient := func(weight float64, positions float32, moved bool) (float32, []float32) {
		c.Loss.FeatureDistance.Weight = weight
		trained := openTrainer(t, c, zap.NewNop())
		f, s := trained.frozen, trained.state
		featuresOf(t, f)
		copy(trained.supervised.image, f.image)
		if moved {
			for i, x := range s.student.Floats() {
				s.student.Floats()[i] = x * (1 + 0.05*float32(i%3))
			}
		}
		for i := range f.weights {
			f.weights[i] = positions
		}
		if _, err := trained.supervised.run(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		return f.distance[0], slices.Clone(s.grads.Floats())
	}
	once, one := gradient(1, 0.125, true)
	twice, two := gradient(2, 0.125, true)
	if once <= 0 || once != twice {
		t.Errorf("the distance is %g with weight 1, %g with weight 2", once, twice)
	}
	for i := range one {
		if math.Abs(float64(two[i]-2*one[i])) > 1e-37 { // subnormal numbers are rounded
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

// TestFeatureDistanceIsOfLabelledImages: L_T's run takes no distance, and neither
// does a batch without things.
func TestFeatureDistanceIsOfLabelledImages(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	trained := openTrainer(t, distanceConfig(root, t.TempDir()), zap.NewNop())
	b, err := trained.data.loader.Batch(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range b.SourceLabels {
		for i := range l.Pix {
			l.Pix[i] = 1
		}
	}
	f := trained.frozen
	e := Event{Losses: map[string]float64{}}
	if err := trained.learnSource(t.Context(), 0, b, &e); err != nil {
		t.Fatal(err)
	}
	if d := e.Losses["feature_distance"]; !(d > 0) { // stochastic depth moves the student's features
		t.Errorf("all boxes: distance %g", d)
	}
	if slices.Max(f.weights) != 0 {
		t.Errorf("what follows L_S has weights %v", f.weights)
	}
	for _, l := range b.SourceLabels {
		clear(l.Pix)
	}
	if err := trained.learnSource(t.Context(), 0, b, &e); err != nil {
		t.Fatal(err)
	}
	if d := e.Losses["feature_distance"]; d != 0 {
		t.Errorf("all ground: distance %g", d)
	}
}

// TestFeatureDistanceTakesOneDomain: source images where L_S sees any, translated
// ones where it sees nothing else.
func TestFeatureDistanceTakesOneDomain(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	for domain, terms := range map[string][]string{
		configs.DomainSource: {"feature_distance", "source"},
		configs.DomainPseudo: {"feature_distance", "pseudo"},
		configs.DomainBoth:   {"feature_distance", "pseudo", "source"},
	} {
		c := distanceConfig(root, t.TempDir())
		c.Loss.CEDomain = domain
		trained := openTrainer(t, c, zap.NewNop())
		b, err := trained.data.loader.Batch(t.Context(), 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range b.SourceLabels {
			for i := range l.Pix {
				l.Pix[i] = 2
			}
		}
		e := Event{Losses: map[string]float64{}}
		if err := trained.learnSource(t.Context(), 0, b, &e); err != nil {
			t.Fatal(err)
		}
		if got := slices.Sorted(maps.Keys(e.Losses)); !slices.Equal(got, terms) {
			t.Errorf("%s: recorded %v, want %v", domain, got, terms)
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
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	c := distanceConfig(root, t.TempDir())
	for _, k := range []struct {
		method, init string
		warnings     int
	}{{configs.T2S, "", 1}, {configs.SourceOnly, "mit_nano", 0}, {configs.SourceOnly, "", 0}} {
		c.Method, c.Model.Init = k.method, k.init
		core, logs := observer.New(zap.WarnLevel)
		if f := openTrainer(t, c, zap.New(core)).frozen; f != nil || logs.FilterMessageSnippet("feature_distance is off: model.init is empty").Len() != k.warnings {
			t.Errorf("%s from %q: %v, log %v", k.method, k.init, f, logs.All())
		}
	}
}

// TestFeatureDistanceResumes: the frozen encoder of a resumed run is that of its
// first iteration.
func TestFeatureDistanceResumes(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	c := distanceConfig(root, t.TempDir())
	dir, _ := train(t, c)
	stopAfter(t, c, " 3/6 ")
	got, err := Run(t.Context(), c, Options{Log: zap.NewNop(), Out: quiet().Out, Resume: true})
	if err != nil {
		t.Fatal(err)
	}
	if a, b := lossLines(t, dir), lossLines(t, got.Dir); !slices.Equal(a, b) {
		t.Errorf("uninterrupted:\n%s\nresumed:\n%s", strings.Join(a, "\n"), strings.Join(b, "\n"))
	}
}
