package learner

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap"

	"t2sda/configs"
	"t2sda/datasets"
	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
	"t2sda/graphs/weights"
	"t2sda/internal/nccl"
	"t2sda/internal/ranks"
	"t2sda/internal/ranks/rankstest"
	"t2sda/internal/rng"
	"t2sda/losses"
)

// microBatch returns images [m·B, (m+1)·B) of an iteration's batch.
func microBatch(c configs.Config, it, m int) *datasets.Batch {
	n := c.Train.Batch
	c.Train.Batch *= c.Train.MicroBatches()
	b := batch(c, it)
	from, to := m*n, (m+1)*n
	b.First = from
	b.Source, b.Pseudo, b.Target = b.Source[from:to], b.Pseudo[from:to], b.Target[from:to]
	b.SourceLabels, b.TargetRows, b.TargetCorners = b.SourceLabels[from:to], b.TargetRows[from:to], b.TargetCorners[from:to]
	b.SourceIDs, b.TargetIDs = b.SourceIDs[from:to], b.TargetIDs[from:to]
	return b
}

// feed returns the micro-batches of a learner's iteration, one after the other.
func feed(l *Learner, it int) func(context.Context) (*datasets.Batch, error) {
	m := l.micros.from
	return func(context.Context) (*datasets.Batch, error) {
		m++
		return microBatch(l.cfg, it, m-1), nil
	}
}

// trained is what iterations lead to.
type trained struct {
	steps   []Step
	tensors []weights.Tensor
}

// trainOn trains a configuration on so many ranks, of which all must come to one state,
// and returns that.
func trainOn(t *testing.T, c configs.Config, size, iterations int, arena newArena) trained {
	t.Helper()
	engines := make([]*engine.Engine, size)
	for i := range engines {
		engines[i] = enginetest.Open(t, engine.Options{IntraOpThreads: 1})
	}
	return trainBy(t, c, engines, iterations, arena, nil)
}

// trainBy is trainOn for ranks of which each has an engine, and, where join is not nil, a
// wire.
func trainBy(t *testing.T, c configs.Config, engines []*engine.Engine, iterations int, arena newArena, join func(rank int) (*nccl.Comm, error)) trained {
	t.Helper()
	size := len(engines)
	o := Options{Config: c, Space: shapesSpace(), Source: c.Model.Init, Log: zap.NewNop(), Arena: arena}
	if c.Model.Init != "" {
		var err error
		if o.Initial, _, err = weights.LoadPretrained(c.Model.Init); err != nil {
			t.Fatal(err)
		}
	}
	got := make([]trained, size)
	errs := rankstest.Run(size, func(g *ranks.Group) (err error) {
		o := o
		if size > 1 {
			o.Ranks = g
		}
		if join != nil {
			comm, err := join(g.Rank())
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, comm.Close()) }()
			o.Wire = comm
		}
		l, err := New(engines[g.Rank()], o)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, l.Close()) }()
		mine := &got[g.Rank()]
		for it := range iterations {
			s, err := l.Iterate(t.Context(), it, feed(l, it))
			if err != nil {
				return err
			}
			s.Seconds = nil
			mine.steps = append(mine.steps, s)
		}
		for _, p := range l.Parts() {
			tensors, err := p.Tensors()
			if err != nil {
				return err
			}
			for _, x := range tensors {
				x.Data = slices.Clone(x.Data)
				mine.tensors = append(mine.tensors, x)
			}
		}
		return nil
	})
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	for rank := range got[1:] {
		if apart := distance(got[0], got[rank+1]); apart != 0 {
			t.Errorf("rank %d is %g from rank 0", rank+1, apart)
		}
	}
	return got[0]
}

// distance is the largest difference of weights, moments, statistics and losses.
func distance(a, b trained) float64 {
	most := 0.0
	for i, x := range a.tensors {
		for k, v := range x.Data {
			most = max(most, math.Abs(float64(v)-float64(b.tensors[i].Data[k])))
		}
	}
	for i, s := range a.steps {
		for name, v := range s.Losses {
			most = max(most, math.Abs(v-b.steps[i].Losses[name]))
		}
		if fmt.Sprint(s.Queries, s.Weights, s.Quality) != fmt.Sprint(b.steps[i].Queries, b.steps[i].Weights, b.steps[i].Quality) {
			return math.Inf(1)
		}
	}
	return most
}

// longEnv is set where tests may take minutes, as in `task test:full`.
const longEnv = "T2SDA_TEST_LONG"

// variants are configurations whose sums over the batch differ.
var variants = map[string]func(c *configs.Config){
	"t2s":  func(*configs.Config) {},
	"mse":  func(c *configs.Config) { c.Method = configs.T2SMSE },
	"both": func(c *configs.Config) { c.Loss.CEDomain, c.Model.DropPath, c.Model.Dropout = "both", 0.3, 0.3 },
	"self-training": func(c *configs.Config) {
		c.Method, c.Loss.DRW, c.Loss.Quality, c.Loss.CEDenominator = configs.SelfTraining, "lt", "batch", "valid"
	},
	"target keys": func(c *configs.Config) { c.Loss.Pull.KeyDomain, c.Loss.Pull.QueryDomain = "target", "source" },
	"masked": func(c *configs.Config) {
		c.Method, c.Loss.Quality, c.Loss.Mask = "t2s+mask", "batch", configs.Mask{Weight: 1, Block: 16, Ratio: 0.7}
	},
	"generalise": func(c *configs.Config) { c.Method, c.Loss.DRW = configs.Generalise, "none" },
	"entropy":    func(c *configs.Config) { c.Method = configs.MinEnt },
	"views":      func(c *configs.Config) { c.Method = configs.SAC },
	"sepico":     func(c *configs.Config) { c.Method, c.Loss.Contrast.Tau = configs.SePiCo, 0.2 },
	"associate":  func(c *configs.Config) { c.Method, c.Model.Dropout = configs.PLCA, 0.2 },
	"regions": func(c *configs.Config) {
		c.Method, c.Model.Dropout, c.Loss.Regions.Size, c.Loss.Regions.Memory = configs.RCCR, 0.2, 16, 100
	},
	"feature distance": func(c *configs.Config) {
		c.Model.Init = "mit_nano"
		c.Loss.FeatureDistance.Weight, c.Loss.FeatureDistance.Classes = 0.01, []string{"box"}
	},
}

// TestRanksAreMicroBatches: two ranks and one process of two micro-batches come to the
// same bits.
func TestRanksAreMicroBatches(t *testing.T) {
	for name, change := range variants {
		if often := []string{"t2s", "self-training", "masked", "entropy", "views", "sepico", "associate", "regions"}; os.Getenv(longEnv) == "" && !slices.Contains(often, name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			c := small()
			c.Train.Accumulate = 2
			change(&c)
			one, two := trainOn(t, c, 1, 2, nil), trainOn(t, c, 2, 2, nil)
			if apart := distance(one, two); apart != 0 {
				t.Errorf("they are %g apart", apart)
			}
			if len(one.steps[1].Losses) == 0 || one.steps[0].GradNorm == 0 {
				t.Errorf("nothing is learned: %+v", one.steps[1])
			}
		})
	}
}

// TestShares: where each rank has as many micro-batches, a power of two of them, bits do
// not depend on how many ranks there are, four of which are of two nodes here; else the order
// of a few additions does.
func TestShares(t *testing.T) {
	for _, k := range []struct {
		micros, ranks int
		within        float64
	}{{3, 3, 0}, {4, 2, 0}, {4, 4, 0}, {4, 3, 1e-6}} {
		c := small()
		c.Train.Accumulate, c.Train.Batch = k.micros, 1
		if apart := distance(trainOn(t, c, 1, 2, nil), trainOn(t, c, k.ranks, 2, nil)); apart > k.within {
			t.Errorf("%d micro-batches, %d ranks: %g from one process", k.micros, k.ranks, apart)
		}
	}
}

// TestMemoryOfRanks: state that the host may not touch comes to the same.
func TestMemoryOfRanks(t *testing.T) {
	c := small()
	c.Train.Accumulate = 3
	host := trainOn(t, c, 1, 2, guarded)
	if apart := distance(host, trainOn(t, c, 3, 2, guarded)); apart != 0 {
		t.Errorf("ranks are %g apart", apart)
	}
	if apart := distance(host, trainOn(t, c, 1, 2, nil)); apart > 1e-5 { // the norm's order of additions
		t.Errorf("guarded memory is %g from the host's", apart)
	}
}

// TestMicroBatchesAreTheBatch: where nothing in the network looks at the batch, two
// micro-batches of one image are a batch of two.
func TestMicroBatchesAreTheBatch(t *testing.T) {
	for name, change := range map[string]func(c *configs.Config){
		"image": func(*configs.Config) {},
		"batch": func(c *configs.Config) { c.Loss.Quality, c.Loss.DRW, c.Loss.CEDenominator = "batch", "lt", "valid" },
	} {
		c := small()
		c.Method, c.Model.Head, c.Model.DropPath = "self-training+entropy", "deeplabv2", 0.3 // no batch norm
		c.Model.Dropout, c.Loss.Delta = 0, 0.36
		change(&c)
		whole := trainOn(t, c, 1, 2, nil)
		c.Train.Batch, c.Train.Accumulate = 1, 2
		parts := trainOn(t, c, 1, 2, nil)
		for i, s := range whole.steps {
			p := parts.steps[i]
			for term, loss := range s.Losses {
				if math.Abs(loss-p.Losses[term]) > 1e-5*math.Abs(loss) {
					t.Errorf("%s, iteration %d: %s is %g, of the whole batch %g", name, i, term, p.Losses[term], loss)
				}
			}
			if math.Abs(s.GradNorm-p.GradNorm) > 1e-4*s.GradNorm || !slices.Equal(s.Quality, p.Quality) {
				t.Errorf("%s, iteration %d: norm %g, q %v, of the whole batch %g, %v", name, i, p.GradNorm, p.Quality, s.GradNorm, s.Quality)
			}
		}
	}
}

// TestPlanOfMicroBatches: the plan of two micro-batches is that of one batch with all of
// their features.
func TestPlanOfMicroBatches(t *testing.T) {
	c := small()
	c.Train.Accumulate = 2
	l := open(t, c, zap.NewNop())
	if _, err := l.Iterate(t.Context(), 0, feed(l, 0)); err != nil {
		t.Fatal(err)
	}
	i := &iteration{index: 1, adapts: true, next: feed(l, 1), step: Step{Seconds: map[string]float64{}}}
	if err := l.lookAtAll(t.Context(), i); err != nil {
		t.Fatal(err)
	}
	p, err := newPullTerm(l) // a second one, whose plan is at hand
	if err != nil {
		t.Fatal(err)
	}
	for k, b := range i.batches {
		if err := p.keys.run(t.Context(), b.Source, k); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.plan(t.Context(), rng.New(c.Seed, 1, "pull"), i); err != nil {
		t.Fatal(err)
	}
	have := p.planned
	want, err := losses.NewPull(have.Options, have.Grid)
	if err != nil {
		t.Fatal(err)
	}
	batch, err := p.batch(i)
	if err != nil {
		t.Fatal(err)
	}
	batch.Reader = nil
	for k := range i.batches {
		batch.Source.Features = append(batch.Source.Features, p.keys.of(k).features...)
		batch.Target.Features = append(batch.Target.Features, l.target.of(k).features...)
	}
	batch.Keys = batch.Source
	if err := want.Plan(t.Context(), rng.New(c.Seed, 1, "pull"), batch); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(have.Index, want.Index) || !slices.Equal(have.Weights, want.Weights) || !slices.Equal(have.Stats.Queries, want.Stats.Queries) {
		t.Error("other queries")
	}
	for k, v := range want.Positives {
		if math.Abs(float64(v-have.Positives[k])) > 1e-6 {
			t.Fatalf("prototypes: %g, want %g", have.Positives[k], v)
		}
	}
	d := have.Grid.D
	for _, row := range want.NegativeRows() {
		if !slices.Equal(have.Negatives[row*d:(row+1)*d], want.Negatives[row*d:(row+1)*d]) {
			t.Fatalf("negative %d differs", row)
		}
	}
	checkParts(t, have, want)
}

// checkParts: parts have the queries of the whole plan, each once.
func checkParts(t *testing.T, have, whole *losses.Pull) {
	t.Helper()
	n, found := int64(whole.Grid.Positions()/2), 0
	for _, m := range []int{1, 0, 1} {
		have.Part(m, 2)
		if m == 1 {
			found = 0
		}
		for slot, w := range have.Weights {
			if w == 0 {
				continue
			}
			found++
			if at := have.Index[slot] + int64(m)*n; at != whole.Index[slot] || w != whole.Weights[slot] || have.Index[slot] >= n {
				t.Fatalf("part %d, slot %d: position %d", m, slot, have.Index[slot])
			}
		}
	}
	have.Part(0, 2)
	for _, w := range have.Weights {
		if w != 0 {
			found++
		}
	}
	want := 0
	for _, q := range whole.Stats.Queries {
		want += q
	}
	if found != want {
		t.Errorf("%d queries in parts, %d in all", found, want)
	}
}

// TestRankFails: what one rank fails with, all fail with, before anything has moved.
func TestRankFails(t *testing.T) {
	c := small()
	c.Train.Accumulate = 2
	c.Method = configs.SelfTraining
	engines := []*engine.Engine{enginetest.Open(t, engine.Options{IntraOpThreads: 1}), enginetest.Open(t, engine.Options{IntraOpThreads: 1})}
	lost := errors.New("photo.png is gone")
	for what, spoil := range map[string]func(b *datasets.Batch) error{
		"photo.png is gone": func(*datasets.Batch) error { return lost },
		"its loss is NaN":   func(b *datasets.Batch) error { b.Source[0].Pix[0] = float32(math.NaN()); return nil },
		"label 77":          func(b *datasets.Batch) error { b.SourceLabels[0].Pix[0] = 77; return nil },
	} {
		errs := rankstest.Run(2, func(g *ranks.Group) (err error) {
			l, err := New(engines[g.Rank()], Options{Config: c, Space: shapesSpace(), Log: zap.NewNop(), Ranks: g})
			if err != nil {
				return err
			}
			defer func() { err = errors.Join(err, l.Close()) }()
			before := slices.Clone(l.state.student.Host())
			_, err = l.Iterate(t.Context(), 0, func(ctx context.Context) (*datasets.Batch, error) {
				b, err := feed(l, 0)(ctx)
				if g.Rank() == 1 {
					err = spoil(b)
				}
				return b, err
			})
			if !slices.Equal(before, l.state.student.Host()) {
				t.Errorf("%s: rank %d has moved", what, g.Rank())
			}
			return err
		})
		for rank, err := range errs {
			if err == nil || !strings.Contains(err.Error(), what) {
				t.Errorf("%s: rank %d has %v", what, rank, err)
			}
			if diverged := strings.Contains(what, "NaN"); errors.Is(err, ErrNotFinite) != diverged {
				t.Errorf("%s: rank %d: diverged: %t", what, rank, !diverged)
			}
		}
		if peer := new(ranks.PeerError); !errors.As(errs[0], &peer) || !strings.HasPrefix(errs[0].Error(), "rank 1 (") {
			t.Errorf("%s: rank 0 has %v", what, errs[0])
		}
	}
}

// TestTooManyRanks: each rank needs a micro-batch.
func TestTooManyRanks(t *testing.T) {
	for _, err := range rankstest.Run(3, func(g *ranks.Group) error {
		_, err := newMicros(g, 2)
		return err
	})[:1] {
		if err == nil || !strings.Contains(err.Error(), "2 micro-batches for 3 processes") {
			t.Error(err)
		}
	}
}
