package learner

import (
	"context"
	"errors"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"t2sda/configs"
	"t2sda/datasets"
	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
	"t2sda/graphs/weights"
)

// TestStages: what runs by every method, in which order, and what it records.
func TestStages(t *testing.T) {
	for method, want := range map[configs.Method]struct{ stages, losses string }{
		configs.SourceOnly:             {"data source update", "source"},
		configs.Translated:             {"data source update", "pseudo"},
		configs.SelfTraining:           {"data teacher source mix update ema", "mix source"},
		configs.SelfTrainingTranslated: {"data teacher source mix update ema", "mix pseudo"},
		configs.T2S:                    {"data teacher plan source pull mix update ema", "mix pull source"},
		configs.T2SMSE:                 {"data teacher plan source pull mix update ema", "mix pull source"},
		configs.TargetOnly:             {"data source update", "source"},
		configs.Generalise:             {"data teacher plan source pull update ema", "pull source"},
		"source+mask":                  {"data teacher source mask update ema", "mask source"},
		"t2s+mask":                     {"data teacher plan source pull mix mask update ema", "mask mix pull source"},
		configs.MinEnt:                 {"data source entropy update", "entropy source"},
		"source+mix+entropy":           {"data teacher source mix entropy update ema", "entropy mix source"},
		configs.AdaptSegNet:            {"data source adversarial discriminator update", "adversarial discriminator source"},
		configs.AdvEnt:                 {"data source adversarial discriminator update", "adversarial discriminator source"},
		configs.CBST:                   {"data teacher source select update ema", "select source"},
		configs.CRST:                   {"data teacher source select update ema", "select source"},
		configs.IAST:                   {"data teacher source select update ema", "select source"},
		configs.FADA:                   {"data source class-adversarial class_discriminator update", "class-adversarial class_discriminator source"},
		configs.SAC:                    {"data teacher plan source views update ema", "source views"},
		configs.PLCA:                   {"data source associate update", "associate source"},
		configs.SePiCo:                 {"data teacher plan source mix contrast update ema", "contrast mix source"},
		configs.CAG:                    {"data teacher plan source mix contrast update ema", "contrast mix source"},
		configs.RCCR:                   {"data teacher plan source mix regions update ema", "mix regions source"},
		"source+regions":               {"data teacher plan source regions update ema", "regions source"},
	} {
		c := small()
		c.Method, c.Train.AdaptAfter = method, 1.0/6
		c.Loss.Adversarial.Width, c.Loss.ClassAdversarial.Width, c.Loss.Regions.Share = 4, 4, 0
		l := open(t, c, zap.NewNop())
		var names []string
		for _, s := range l.Stages() {
			names = append(names, s.Name)
			if s.Note == "" {
				t.Errorf("%s: stage %s has no note", method, s.Name)
			}
		}
		if got := strings.Join(names, " "); got != want.stages {
			t.Errorf("%s: stages %s, want %s", method, got, want.stages)
		}
		steps := train(t, l, 0, 2)
		if got := slices.Sorted(maps.Keys(steps[0].Losses)); len(got) != 1 {
			t.Errorf("%s: before train.adapt_after there are losses %v", method, got)
		}
		last := steps[1]
		if got := strings.Join(slices.Sorted(maps.Keys(last.Losses)), " "); got != want.losses {
			t.Errorf("%s: losses %s, want %s", method, got, want.losses)
		}
		for name, v := range last.Losses {
			nothing := name == "select" && method != configs.IAST && v == 0 // no class has a threshold at first
			if !(v > 0) && !nothing || math.IsInf(v, 0) {
				t.Errorf("%s: loss %s is %g", method, name, v)
			}
		}
		slices.Sort(names)
		if got := slices.Sorted(maps.Keys(last.Seconds)); !slices.Equal(got, names) {
			t.Errorf("%s: times of %v, want those of %v", method, got, names)
		}
	}
}

// tensors are a part's, of which there are some.
func tensors(t testing.TB, p Part) []weights.Tensor {
	t.Helper()
	list, err := p.Tensors()
	if err != nil || len(list) == 0 {
		t.Fatalf("part %s: %d tensors, %v", p.Name, len(list), err)
	}
	return list
}

// TestTensorsAreTheState: what another learner of the same configuration is given
// of one's tensors makes it go on as that one does, to the bit.
func TestTensorsAreTheState(t *testing.T) {
	masks := small()
	masks.Method = "t2s+mask"
	for name, c := range map[string]configs.Config{"t2s": small(), "masks": masks, "HRDA": smallHRDA()} {
		one := open(t, c, zap.NewNop())
		train(t, one, 0, 2)
		other := open(t, c, zap.NewNop())
		for i, part := range one.Parts() {
			if err := other.Parts()[i].Restore("one", tensors(t, part)); err != nil {
				t.Fatal(err)
			}
		}
		a, b := train(t, one, 2, 4), train(t, other, 2, 4)
		for i := range a {
			if !nearLosses(a[i].Losses, b[i].Losses) || !near(a[i].GradNorm, b[i].GradNorm) {
				t.Errorf("%s, iteration %d: %v, %g; want %v, %g", name, a[i].Iteration, b[i].Losses, b[i].GradNorm, a[i].Losses, a[i].GradNorm)
			}
		}
	}
}

// TestNoiseIsOfImages: an image's stochastic depth and dropout are the same in
// whatever batch it is, and differ from its neighbour's.
func TestNoiseIsOfImages(t *testing.T) {
	c := small()
	c.Method, c.Model.DropPath, c.Model.Dropout = configs.SourceOnly, 0.5, 0.5
	drawn := func(images int) (rows [][]float32) {
		c.Train.Batch = images
		l := open(t, c, zap.NewNop())
		train(t, l, 0, 1)
		for i := range images {
			var row []float32
			for _, n := range l.supervised.noise {
				size := len(n.data) / images
				row = append(row, n.data[i*size:(i+1)*size]...)
			}
			rows = append(rows, row)
		}
		return rows
	}
	one, two := drawn(1), drawn(2)
	if !slices.Equal(one[0], two[0]) || slices.Equal(two[0], two[1]) {
		t.Errorf("alone %v, of two %v and %v", one[0], two[0], two[1])
	}
	if slices.Max(one[0]) != 2 || slices.Min(one[0]) != 0 {
		t.Errorf("noise %v, want 0 and 1/0.5", one[0])
	}
}

// TestBatchFails: an error of the loader comes back as it is, and changes nothing.
func TestBatchFails(t *testing.T) {
	l := open(t, small(), zap.NewNop())
	before := slices.Clone(content(t, l.state.student))
	lost := errors.New("lost")
	if _, err := l.Iterate(t.Context(), 0, func(context.Context) (*datasets.Batch, error) { return nil, lost }); err != lost {
		t.Errorf("have %v", err)
	}
	if !slices.Equal(before, content(t, l.state.student)) {
		t.Error("the student has moved")
	}
}

// TestBackgroundEnds: what goes on while sessions run has ended when an iteration has, also after
// an error: the teacher's memory and the batch are the caller's again.
func TestBackgroundEnds(t *testing.T) {
	l := open(t, small(), zap.NewNop())
	broken := errors.New("broken")
	var mixing *mixing
	slow := false
	for k, s := range l.stages {
		if s.Name != "source" || s.phase != learn {
			continue
		}
		l.stages[k].run = func(_ context.Context, i *iteration) error {
			mixing = i.mixed[0]
			i.background.Go(func() {
				time.Sleep(10 * time.Millisecond)
				slow = true
			})
			return broken
		}
	}
	if err := iterateOnce(t, l); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	select {
	case <-mixing.done:
	default:
		t.Error("images are still being mixed")
	}
	if !slow {
		t.Error("the iteration has ended before what it has begun")
	}
}

// TestCheck poisons every part of the state in turn.
func TestCheck(t *testing.T) {
	l := open(t, small(), zap.NewNop())
	s := l.state
	running := s.buffers[s.order[0]]
	puts := map[string]func(x []float32) error{s.order[0]: func(x []float32) error { copy(running, x); return nil }}
	for what, a := range map[string]engine.Arena{"student": s.student, "teacher": s.teacher, "first moment": s.moment1, "second moment": s.moment2} {
		puts[what] = func(x []float32) error { return a.Write(x, 0) }
	}
	for what, put := range puts {
		if err := put([]float32{float32(math.NaN())}); err != nil {
			t.Fatal(err)
		}
		if err := l.Check(); !errors.Is(err, ErrNotFinite) || !strings.Contains(err.Error(), what) || !strings.Contains(err.Error(), "not finite") {
			t.Errorf("%s: have %v", what, err)
		}
		if err := put([]float32{0}); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(l.Check(), l.Suspect()); err != nil {
		t.Error(err)
	}
	l.target.confidence[0] = float32(math.Inf(1))
	if err := l.Suspect(); !errors.Is(err, ErrNotFinite) || !strings.Contains(err.Error(), "teacher/target") {
		t.Errorf("have %v", err)
	}
}

// TestFailedTerm: where a session cannot be built, what there is so far is closed
// and the parameter named.
func TestFailedTerm(t *testing.T) {
	c := small()
	l := &Learner{cfg: c, arch: Arch(c, 3), engine: enginetest.Open(t, engine.Options{}), log: zap.NewNop()}
	var err error
	if l.state, err = newState(l.arch, true, c.Train, c.Seed, onHost); err != nil {
		t.Fatal(err)
	}
	l.owned = append(l.owned, l.state)
	if l.micros, err = newMicros(nil, 1); err != nil {
		t.Fatal(err)
	}
	missing := l.state.specs[0].Name
	delete(l.state.index, missing)
	for what, build := range map[string]func() (any, error){
		"pull": func() (any, error) { return pullStages(l) },
		"teacher": func() (any, error) {
			return newTeacher(l.engine, "teacher", l.arch, l.crops(), l.state, true, false, nil)
		},
		"shared": func() (any, error) { return nil, l.buildShared(shapesSpace()) },
	} {
		if _, err := build(); err == nil || !strings.Contains(err.Error(), missing) {
			t.Errorf("%s: have %v, want %s named", what, err, missing)
		}
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

// TestRecompute: recomputation changes neither losses nor weights nor running statistics by a bit.
func TestRecompute(t *testing.T) {
	var steps [2][]Step
	var ends [2][]weights.Tensor
	var nodes [2]int
	for i, recompute := range []string{configs.RecomputeNone, configs.RecomputeBlocks} {
		c := small()
		c.Model.Head, c.Model.DropPath, c.Train.Recompute = "daformer", 0.5, recompute
		l := open(t, c, zap.NewNop())
		steps[i], nodes[i] = train(t, l, 0, 3), len(l.supervised.Graph().Nodes())
		for _, p := range l.Parts() {
			if p.Name == "student" {
				ends[i] = tensors(t, p)
			}
		}
	}
	if nodes[0] >= nodes[1] {
		t.Errorf("%d nodes, without recomputation %d", nodes[1], nodes[0])
	}
	for i, s := range steps[0] {
		if !nearLosses(s.Losses, steps[1][i].Losses) {
			t.Errorf("iteration %d: losses %v, without recomputation %v", i, steps[1][i].Losses, s.Losses)
		}
	}
	for i, x := range ends[0] {
		y := ends[1][i]
		if x.Name != y.Name || !slices.EqualFunc(x.Data, y.Data, func(a, b float32) bool { return near(float64(a), float64(b)) }) {
			t.Errorf("%s differs", x.Name)
		}
	}
}
