package losses

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// world is a batch whose features say where they come from: plane 0 holds the
// flat position + 1, plane 1 the domain (1 source, 2 target).
type world struct {
	grid           Grid
	source, target FeatureMap
}

func newWorld(seed uint64, classes int) *world {
	r := rand.New(rand.NewPCG(seed, 9))
	w := &world{grid: Grid{N: 2, D: 3, H: 8, W: 10}}
	fill := func(domain float32) FeatureMap {
		positions, area := w.grid.Positions(), w.grid.H*w.grid.W
		m := FeatureMap{
			Features: make([]float32, positions*3), Labels: make([]uint8, positions), Confidence: make([]float32, positions),
		}
		for i := range positions {
			at := i/area*3*area + i%area
			m.Features[at], m.Features[at+area], m.Features[at+2*area] = float32(i+1), domain, 1
			m.Labels[i], m.Confidence[i] = uint8(r.IntN(classes)), float32(r.Float64())
			if r.IntN(5) == 0 {
				m.Labels[i] = 255
			}
		}
		return m
	}
	w.source, w.target = fill(1), fill(2)
	return w
}

func (w *world) batch() PullBatch {
	return PullBatch{QueryLabels: w.source.Labels, Keys: w.source, Source: w.source, Target: &w.target}
}

func smallPull(classes int) PullOptions {
	o := DefaultPull(classes)
	o.Queries, o.Block, o.Negatives = 10, 4, 20
	return o
}

func plan(t testing.TB, o PullOptions, w *world, batch PullBatch, seed uint64) *Pull {
	t.Helper()
	p, err := NewPull(o, w.grid)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Plan(t.Context(), rand.New(rand.NewPCG(seed, 0)), batch); err != nil {
		t.Fatal(err)
	}
	return p
}

// negative returns the domain and flat position of a negative key.
func (p *Pull) negative(c, j int) (domain, position int) {
	row := p.Negatives[(c*p.Options.Negatives+j)*p.Grid.D:]
	return int(row[1]), int(row[0]) - 1
}

func TestPlanKeepsItsPromises(t *testing.T) {
	for seed := range uint64(20) {
		o, w := smallPull(4), newWorld(seed, 4)
		o.Balanced, o.Equalised = seed%2 == 0, seed%3 != 0
		p := plan(t, o, w, w.batch(), seed)
		checkQueries(t, p, w.source.Labels)
		for c, queries := range p.Stats.Queries {
			if queries == 0 {
				continue
			}
			seen, fromTarget := map[[2]int]bool{}, 0
			for j := range o.Negatives {
				domain, position := p.negative(c, j)
				labels := w.source.Labels
				if domain == 2 {
					fromTarget++
					labels = w.target.Labels
					if float64(w.target.Confidence[position]) >= p.Stats.Gamma {
						t.Fatalf("seed %d: confident negative", seed)
					}
				}
				if int(labels[position]) == c || labels[position] == 255 {
					t.Fatalf("seed %d: negative of class %d has label %d", seed, c, labels[position])
				}
				if seen[[2]int{domain, position}] {
					t.Fatalf("seed %d: a negative was drawn twice from pools of %d and %d", seed, p.Stats.SourcePool[c], p.Stats.TargetPool[c])
				}
				seen[[2]int{domain, position}] = true
			}
			if o.Equalised && fromTarget != o.Negatives/2 {
				t.Errorf("seed %d: %d of %d negatives from the target", seed, fromTarget, o.Negatives)
			}
		}
	}
}

// checkQueries checks the packing: distinct positions of the right class,
// blocks of one class, weights that add up to 1 and count each class by w̃.
func checkQueries(t *testing.T, p *Pull, labels []uint8) {
	t.Helper()
	drawn, sums := make([]int, p.Options.Classes), make([]float64, p.Options.Classes)
	seen := map[int64]bool{}
	for slot, weight := range p.Weights {
		if weight == 0 {
			if p.Index[slot] != 0 {
				t.Fatalf("empty slot %d points at %d", slot, p.Index[slot])
			}
			continue
		}
		block, position := slot/p.Options.Block, p.Index[slot]
		class := labels[position]
		if seen[position] || class == 255 {
			t.Fatalf("position %d of label %d was drawn (again)", position, class)
		}
		seen[position] = true
		if p.BlockClass != nil && p.BlockClass[block] != int64(class) {
			t.Fatalf("block %d of class %d holds a query of class %d", block, p.BlockClass[block], class)
		}
		if got, want := p.Positives[block*p.Grid.D:][:p.Grid.D], p.prototypes[int(class)*p.Grid.D:][:p.Grid.D]; !slices.Equal(got, want) {
			t.Fatalf("block %d: positive %v, prototype %v", block, got, want)
		}
		drawn[class]++
		sums[class] += float64(weight)
	}
	if !slices.Equal(drawn, p.Stats.Queries) {
		t.Fatalf("drew %v, stats say %v", drawn, p.Stats.Queries)
	}
	total := 0.0
	for c := range sums {
		near(t, "weight of a class", sums[c], p.Stats.Weights[c], 1e-6)
		total += sums[c]
	}
	near(t, "sum of weights", total, 1, 1e-6)
}

func TestPlanDependsOnSeedAndBatchOnly(t *testing.T) {
	o, w := smallPull(4), newWorld(1, 4)
	a := plan(t, o, w, w.batch(), 7)
	b := plan(t, o, w, newWorld(2, 4).batch(), 8) // another plan first
	if err := b.Plan(t.Context(), rand.New(rand.NewPCG(7, 0)), w.batch()); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(a.Index, b.Index) || !slices.Equal(a.Weights, b.Weights) || !slices.Equal(a.Negatives, b.Negatives) || !slices.Equal(a.BlockClass, b.BlockClass) {
		t.Error("an earlier plan left traces")
	}
	if c := plan(t, o, w, w.batch(), 8); slices.Equal(a.Index, c.Index) || slices.Equal(a.Negatives, c.Negatives) {
		t.Error("another seed drew the same")
	}
}

func TestPlanWithoutTarget(t *testing.T) {
	o, w := smallPull(4), newWorld(3, 4)
	batch := w.batch()
	batch.Target = nil // domain generalisation
	p := plan(t, o, w, batch, 1)
	checkQueries(t, p, w.source.Labels)
	for c := range 4 {
		for j := range o.Negatives {
			if domain, _ := p.negative(c, j); domain != 1 {
				t.Fatalf("class %d: negative of domain %d", c, domain)
			}
		}
	}
}

func TestPlanWithEmptyPools(t *testing.T) {
	o, w := smallPull(3), newWorld(4, 3)
	// Source holds class 1 only; confident target positions are no candidates.
	for i := range w.source.Labels {
		w.source.Labels[i] = 1
	}
	p := plan(t, o, w, w.batch(), 1)
	if p.Stats.SourcePool[1] != 0 || p.Stats.TargetPool[1] == 0 || p.Stats.Queries[1] != 30 {
		t.Fatalf("stats %+v", p.Stats)
	}
	for j := range o.Negatives {
		if domain, _ := p.negative(1, j); domain != 2 {
			t.Fatalf("negative of domain %d", domain)
		}
	}

	o.Alpha = 0 // nothing is below the minimum: both pools are empty
	p = plan(t, o, w, w.batch(), 1)
	if p.Stats.Queries[1] != 0 || p.Stats.Dropped[1] != 30 {
		t.Errorf("stats %+v", p.Stats)
	}
	if slices.ContainsFunc(p.Weights, func(v float32) bool { return v != 0 }) {
		t.Error("a class without negatives has weights")
	}

	o.Loss = PullMSE // needs none
	if p = plan(t, o, w, w.batch(), 1); p.Stats.Queries[1] != 30 {
		t.Errorf("stats %+v", p.Stats)
	}
}

func TestPlanWithSmallPools(t *testing.T) {
	o, w := smallPull(2), newWorld(5, 2)
	for i := range w.source.Labels {
		w.source.Labels[i] = 0
	}
	w.source.Labels[3], w.source.Labels[44] = 1, 1 // 2 candidates for 10 negatives of class 0
	p := plan(t, o, w, w.batch(), 1)
	fromSource := 0
	for j := range o.Negatives {
		domain, position := p.negative(0, j)
		if domain == 1 {
			fromSource++
			if position != 3 && position != 44 {
				t.Fatalf("negative at %d", position)
			}
		}
	}
	if fromSource != o.Negatives/2 {
		t.Errorf("%d negatives from the source", fromSource)
	}
}

func TestPlanDropsClassWithoutPrototype(t *testing.T) {
	o, w := smallPull(4), newWorld(6, 4)
	keys := w.source
	keys.Labels = slices.Clone(keys.Labels)
	for i, label := range keys.Labels {
		if label == 2 {
			keys.Labels[i] = 255
		}
	}
	batch := w.batch()
	batch.Keys = keys
	p := plan(t, o, w, batch, 1)
	if p.Stats.Queries[2] != 0 || p.Stats.Dropped[2] == 0 || p.Stats.Weights[2] != 0 || p.Stats.Present[2] {
		t.Errorf("stats %+v", p.Stats)
	}
	checkQueries(t, p, w.source.Labels)
}

func TestPlanOfVoid(t *testing.T) {
	o, w := smallPull(4), newWorld(7, 4)
	for i := range w.source.Labels {
		w.source.Labels[i] = 255
	}
	p := plan(t, o, w, w.batch(), 1)
	for _, v := range p.Weights {
		if v != 0 {
			t.Fatalf("weight %g", v)
		}
	}
}

func TestPlanClassWeights(t *testing.T) {
	o, w := smallPull(4), newWorld(8, 4)
	for i, label := range w.source.Labels {
		if label == 3 {
			w.source.Labels[i] = 255 // no queries: its weight goes to the others
		}
	}
	batch := w.batch()
	for _, k := range []struct{ given, want []float64 }{
		{nil, []float64{1. / 3, 1. / 3, 1. / 3, 0}},
		{[]float64{1, 0.5, 0.5, 7}, []float64{0.5, 0.25, 0.25, 0}},
		{[]float64{0, 1, 0, 0}, []float64{0, 1, 0, 0}},
		{[]float64{0, 0, 0, 1}, []float64{1. / 3, 1. / 3, 1. / 3, 0}},
	} {
		batch.ClassWeights = k.given
		p := plan(t, o, w, batch, 1)
		for c, want := range k.want {
			near(t, "w̃", p.Stats.Weights[c], want, 1e-12)
		}
	}
}

// TestPlanMeanOverPairs: every query counts by its class's weight, so that a
// class counts by its queries; weights of 0 throughout count alike.
func TestPlanMeanOverPairs(t *testing.T) {
	w := newWorld(5, 3)
	o := smallPull(3)
	o.Mean = MeanPair
	for name, given := range map[string][]float64{"weights": {1, 0.25, 0.5}, "none": nil, "zero": {0, 0, 0}} {
		batch := w.batch()
		batch.ClassWeights = given
		p := plan(t, o, w, batch, 5)
		checkQueries(t, p, w.source.Labels)
		want, sum := make([]float64, 3), 0.0
		for c, n := range p.Stats.Queries {
			want[c] = float64(n)
			if name == "weights" {
				want[c] *= given[c]
			}
			sum += want[c]
		}
		for c := range want {
			near(t, name, p.Stats.Weights[c], want[c]/sum, 1e-12)
		}
		if name != "weights" { // one weight for all queries
			for _, weight := range p.Weights {
				if weight != 0 && math.Abs(float64(weight)-1/sum) > 1e-7 {
					t.Errorf("%s: a query weighs %g, want %g", name, weight, 1/sum)
				}
			}
		}
	}
}

func TestPlanDrawsEvenly(t *testing.T) {
	o, w := smallPull(3), newWorld(9, 3)
	p, err := NewPull(o, w.grid)
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(10, 10))
	queries := map[int64]float64{}
	negatives := map[[2]int]float64{}
	const rounds = 1500
	for range rounds {
		if err := p.Plan(t.Context(), r, w.batch()); err != nil {
			t.Fatal(err)
		}
		for slot, weight := range p.Weights {
			if weight != 0 && w.source.Labels[p.Index[slot]] == 1 {
				queries[p.Index[slot]]++
			}
		}
		for j := range o.Negatives {
			domain, position := p.negative(1, j)
			negatives[[2]int{domain, position}]++
		}
	}
	// Subsets without replacement are more even than independent draws, so the
	// test errs on the side of passing; uniformity of subsets has its own.
	var counts, source, target []float64
	for _, v := range queries {
		counts = append(counts, v)
	}
	for k, v := range negatives {
		if k[0] == 1 {
			source = append(source, v)
		} else {
			target = append(target, v)
		}
	}
	available := p.queries.count(1)
	if len(counts) != available || len(source) != p.Stats.SourcePool[1] || len(target) != p.Stats.TargetPool[1] {
		t.Fatalf("drew %d of %d, %d of %d and %d of %d positions", len(counts), available,
			len(source), p.Stats.SourcePool[1], len(target), p.Stats.TargetPool[1])
	}
	chiSquare(t, "queries", counts, rounds*float64(p.Stats.Queries[1])/float64(available))
	chiSquare(t, "source negatives", source, rounds*float64(o.Negatives/2)/float64(len(source)))
	chiSquare(t, "target negatives", target, rounds*float64(o.Negatives/2)/float64(len(target)))
}

func TestPlanHardlyAllocates(t *testing.T) {
	o, w := smallPull(4), newWorld(11, 4)
	p, err := NewPull(o, w.grid)
	if err != nil {
		t.Fatal(err)
	}
	r, batch := rand.New(rand.NewPCG(1, 1)), w.batch()
	if n := testing.AllocsPerRun(10, func() {
		if err := p.Plan(t.Context(), r, batch); err != nil {
			t.Error(err)
		}
	}); n > 5 { // what starting a goroutine costs
		t.Errorf("%g allocations", n)
	}
}

func TestPlanErrors(t *testing.T) {
	for want, change := range map[string]func(b *PullBatch){
		"losses: pull: query labels: label 9": func(b *PullBatch) { b.QueryLabels = slices.Repeat([]uint8{9}, len(b.QueryLabels)) },
		"losses: pull: keys: label 9":         func(b *PullBatch) { b.Keys.Labels = slices.Repeat([]uint8{9}, len(b.Keys.Labels)) },
		"losses: pull: source: label 9":       func(b *PullBatch) { b.Source.Labels = slices.Repeat([]uint8{9}, len(b.Source.Labels)) },
		"losses: pull: target: label 9":       func(b *PullBatch) { b.Target.Labels = slices.Repeat([]uint8{9}, len(b.Target.Labels)) },
		"0 query labels":                      func(b *PullBatch) { b.QueryLabels = nil },
		"keys: 160 labels":                    func(b *PullBatch) { b.Keys.Features = nil },
		"source: 0 labels":                    func(b *PullBatch) { b.Source = FeatureMap{} },
		"target: 0 confidences":               func(b *PullBatch) { b.Target.Confidence = nil },
		"confidence is NaN":                   func(b *PullBatch) { b.Target.Confidence[3] = float32(math.NaN()) },
		"2 class weights":                     func(b *PullBatch) { b.ClassWeights = []float64{1, 1} },
		"weight -1 of class 1":                func(b *PullBatch) { b.ClassWeights = []float64{1, -1, 0, 0} },
		"not finite":                          func(b *PullBatch) { b.Keys.Features[5] = float32(math.Inf(1)) },
	} {
		w := newWorld(12, 4)
		for i := range w.source.Labels {
			w.source.Labels[i] = uint8(i % 4) // no void, so that every feature counts
		}
		batch := w.batch()
		change(&batch)
		p, err := NewPull(smallPull(4), w.grid)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Plan(t.Context(), rand.New(rand.NewPCG(1, 1)), batch); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v", want, err)
		}
	}
}

func TestPullOptionsErrors(t *testing.T) {
	for want, change := range map[string]func(o *PullOptions){
		"0 classes":     func(o *PullOptions) { o.Classes = 0 },
		`loss "l1"`:     func(o *PullOptions) { o.Loss = "l1" },
		"0 queries":     func(o *PullOptions) { o.Queries = 0 },
		`mean "all"`:    func(o *PullOptions) { o.Mean = "all" },
		"blocks of 0":   func(o *PullOptions) { o.Block = 0 },
		"0 negatives":   func(o *PullOptions) { o.Negatives = 0 },
		"α = 1.5":       func(o *PullOptions) { o.Alpha = 1.5 },
		"temperature 0": func(o *PullOptions) { o.Temperature = 0 },
	} {
		o := DefaultPull(19)
		change(&o)
		if _, err := NewPull(o, Grid{1, 1, 1, 1}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v", want, err)
		}
	}
	if _, err := NewPull(DefaultPull(19), Grid{2, 256, 0, 128}); err == nil {
		t.Error("an empty grid was accepted")
	}
}
