package learner

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"go.uber.org/zap"

	"t2sda/configs"
	"t2sda/datasets"
	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
	"t2sda/internal/raster"
)

// regional has regions of 16 px, 16 of a crop, and a memory that is full after two iterations.
func regional() configs.Config {
	c := small()
	c.Method, c.Loss.Regions.Size, c.Loss.Regions.Memory = configs.RCCR, 16, 40
	c.Loss.IgnoreTop, c.Loss.IgnoreBottom = 0, 0
	return c
}

// TestRing: the last rows are there, the oldest forgotten, however many come at once.
func TestRing(t *testing.T) {
	l := &Learner{}
	r, err := l.newRing("regions", "loss.regions.memory", 3, 2)
	if err != nil || len(l.memory) != 2 {
		t.Fatal(err, l.memory)
	}
	for _, c := range []struct {
		put, want []float32
		known     int
	}{
		{[]float32{1, 1, 2, 2}, []float32{1, 1, 2, 2, 0, 0}, 2},
		{[]float32{3, 3, 4, 4}, []float32{4, 4, 2, 2, 3, 3}, 3},
		{[]float32{5, 5, 6, 6, 7, 7, 8, 8}, []float32{7, 7, 8, 8, 6, 6}, 3},
	} {
		if r.put(c.put); !slices.Equal(r.rows, c.want) || r.known() != c.known {
			t.Errorf("after %v: %v, %d known", c.put, r.rows, r.known())
		}
	}
}

// TestRegionsLearn: the term, of a weight before which all else is little, becomes less on a batch
// that comes again and again, by either strategy.
func TestRegionsLearn(t *testing.T) {
	for _, negatives := range []string{configs.NegativesWithin, configs.NegativesAcross, configs.NegativesBoth} {
		c := regional()
		c.Loss.Regions.Negatives, c.Loss.Regions.Weight, c.Loss.Regions.Share, c.Train.EMA = negatives, 100, 0, 1
		l := open(t, c, zap.NewNop())
		train(t, l, 0, 1) // fills the memory
		first := train(t, l, 0, 1)[0].Losses["regions"]
		last := first
		for range 20 {
			last = train(t, l, 0, 1)[0].Losses["regions"]
		}
		if !(last < 0.95*first) {
			t.Errorf("%s: the term goes from %g to %g", negatives, first, last)
		}
	}
}

// TestRegionsByHand: the loss is that of the regions which the teacher, as equal to the student as
// at the beginning, gives of mixed and of plain images, with the ones that were remembered before.
func TestRegionsByHand(t *testing.T) {
	c := regional()
	c.Model.Dropout, c.Model.DropPath = 0, 0
	l := open(t, c, zap.NewNop())
	term, err := newRegions(l) // a second one, whose plan is at hand
	if err != nil {
		t.Fatal(err)
	}
	looker, err := newTeacher(l.engine, "looker", l.arch, l.crops(), l.state, false, false, l.regions)
	if err != nil {
		t.Fatal(err)
	}
	l.own(looker)
	look := func(images []*raster.Image) []float32 {
		if err := looker.run(t.Context(), images, 0); err != nil {
			t.Fatal(err)
		}
		return slices.Clone(looker.regions)
	}
	memory := look(batch(c, 5).Target)
	term.memory.put(memory)
	const of = 2 // an iteration whose images are pasted over here and there
	b := batch(c, of)
	i := &iteration{index: of, next: func(context.Context) (*datasets.Batch, error) { return b, nil }, adapts: true, step: Step{Losses: map[string]float64{}, Seconds: map[string]float64{}}}
	if err := l.lookAtAll(t.Context(), i); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(term.plan(t.Context(), i), term.learn(t.Context(), i)); err != nil {
		t.Fatal(err)
	}
	queries, keys := look(i.mixed[0].images), look(b.Target)
	if !slices.Equal(keys, term.keys) {
		t.Error("keys are others than the teacher's of the plain images")
	}
	count, want := 0, 0.0
	for q, is := range term.target[0] {
		if is {
			count++
			want += regionByHand(queries[q*16:(q+1)*16], append(slices.Clone(keys), memory...), q, c.Loss.Regions.Tau)
		}
	}
	if count == 0 || count == 32 || count != term.queries {
		t.Errorf("%d of 32 regions are the target's, %d are counted", count, term.queries)
	}
	if have := i.step.Losses["regions"]; math.Abs(have-want/float64(count)) > 1e-4*have {
		t.Errorf("loss %g, want %g", have, want/float64(count))
	}
}

// regionByHand is a query's loss by all keys, of which its own is one.
func regionByHand(query, keys []float32, own int, tau float64) float64 {
	width, sum, positive := len(query), 0.0, 0.0
	for k := range len(keys) / width {
		dot := 0.0
		for i, v := range query {
			dot += float64(v) * float64(keys[k*width+i])
		}
		sum += math.Exp(dot / tau)
		if k == own {
			positive = dot / tau
		}
	}
	return math.Log(sum) - positive
}

// TestRegionsRemember: a learner that takes over the state, with what is remembered, goes on as the
// one that it is of.
func TestRegionsRemember(t *testing.T) {
	c := regional()
	one, other := open(t, c, zap.NewNop()), open(t, c, zap.NewNop())
	train(t, one, 0, 2)
	copyState(t, other, one)
	goesOn(t, one, other, 2, 4)
	if n := one.memory[1].Data[0]; n != 48 { // 4 of 32 in a ring of 40, counted from 40 to 79
		t.Errorf("%g are remembered", n)
	}
}

// TestRegionsOfRims: a batch that is all rim has no query, and is no mistake.
func TestRegionsOfRims(t *testing.T) {
	c := regional()
	c.Loss.IgnoreBottom = 0.5
	l, b := open(t, c, zap.NewNop()), batch(c, 0)
	for n := range b.TargetRows {
		b.TargetRows[n] = datasets.Rows{From: cropSize, Of: 2 * cropSize}
	}
	step, err := l.Iterate(t.Context(), 0, func(context.Context) (*datasets.Batch, error) { return b, nil })
	if loss, there := step.Losses["regions"]; err != nil || loss != 0 || !there {
		t.Errorf("losses %v, %v", step.Losses, err)
	}
}

// TestRegionsRefused: regions that the features do not have, and a memory without bound.
func TestRegionsRefused(t *testing.T) {
	for _, k := range []struct {
		set  func(c *configs.Config)
		want string
	}{
		{func(c *configs.Config) { c.Loss.Regions.Size = 2 }, "loss.regions.size: regions of 2×2 px do not consist of whole cells of the projector's 16×16 features: want one of [4 8 16 32]"},
		{func(c *configs.Config) { c.Model.ProjectorInput = "last" }, "loss.regions.size: regions of 16×16 px do not consist of whole cells of the projector's 2×2 features: want one of [32]"},
		{func(c *configs.Config) { c.Loss.Regions.Memory, c.Model.ProjectorWidth = 1<<20, 128 }, "loss.regions.memory: 1048576 features of width 128 are 512 MB in each checkpoint; set at most 524288, which are 256 MB"},
	} {
		c := regional()
		k.set(&c)
		_, err := New(enginetest.Open(t, engine.Options{IntraOpThreads: 1}), Options{Config: c, Space: shapesSpace(), Log: zap.NewNop()})
		if err == nil || err.Error() != k.want {
			t.Errorf("have %v\nwant %s", err, k.want)
		}
	}
}
