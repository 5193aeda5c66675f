package losses

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
)

// FeatureMap is the teacher's view of the batch of one domain, on the feature
// grid.
type FeatureMap struct {
	Features []float32 // [N,D,h,w], ℓ2-normalised per position; nil where a [FeatureReader] has them
	Labels   []uint8   // [N,h,w], given or pseudo
	// Confidence is the teacher's softmax maximum [N,h,w]. Only that of the target
	// map is read; nil elsewhere.
	Confidence []float32
}

// PullBatch is what one iteration's plan is drawn from. The package's
// documentation maps the directions of Table 7 onto it.
type PullBatch struct {
	QueryLabels []uint8    // [N,h,w] labels of the student's feature map
	Keys        FeatureMap // positives
	Source      FeatureMap // negatives; read by InfoNCE only
	// Target gives the other negatives. Nil in domain generalisation: all
	// negatives then come from Source.
	Target *FeatureMap
	// ClassWeights [C] are [Confidences.DRW]'s on L_pull; nil for equal weights.
	ClassWeights []float64
	// Reader gets at the features of all maps where they are not the host's; nil where
	// they are slices.
	Reader FeatureReader
}

// FeatureReader does what a plan does with features where they lie.
type FeatureReader interface {
	// Sums writes the sums of the keys' features, row by row of dst [C,D] those at
	// positions of one label [N,h,w].
	Sums(ctx context.Context, dst []float64, labels []uint8) error
	// Fetch makes the features at flat positions index [C·m] the negatives of the next
	// run; positions of the target's map follow those of the source's.
	Fetch(ctx context.Context, index []int64) error
}

// Plan draws the queries and keys of one iteration into the bound slices and
// fills Stats. Equal streams and batches give equal plans, whatever was planned
// before. Nothing of size is allocated. ctx is for the batch's reader, if there is one.
//
// Queries of a class are drawn without replacement, and so are its negatives
// unless a pool is too small, from which they are then drawn with replacement.
// An empty pool's share goes to the other domain; a class with neither pool, or
// without a prototype, is dropped (Stats.Dropped). Void positions are never
// drawn. A batch that leaves no class gives weights of 0, hence a loss of 0.
func (p *Pull) Plan(ctx context.Context, r *rand.Rand, batch PullBatch) error {
	defer p.Wait()
	return p.Begin(ctx, r, batch)
}

// Begin is [Pull.Plan], but that negatives are still being copied when it returns, until
// [Pull.Wait] does; so long features must stay what they are.
func (p *Pull) Begin(ctx context.Context, r *rand.Rand, batch PullBatch) error {
	p.Wait()
	if err := p.prepare(ctx, batch); err != nil {
		return fmt.Errorf("losses: pull: %w", err)
	}
	p.allot()
	p.weigh(batch.ClassWeights)
	p.drawQueries(r)
	if p.Options.Loss != PullInfoNCE {
		return nil
	}
	p.drawNegatives(r)
	if batch.Reader == nil {
		p.fetchNegatives(batch)
		return nil
	}
	if err := batch.Reader.Fetch(ctx, p.negativeIndex()); err != nil {
		return fmt.Errorf("losses: pull: negatives: %w", err)
	}
	return nil
}

// Wait waits until all that [Pull.Begin] has planned is there.
func (p *Pull) Wait() { p.copying.Wait() }

// prepare does what needs no draw: prototypes and pools.
func (p *Pull) prepare(ctx context.Context, batch PullBatch) error {
	if err := p.check(batch); err != nil {
		return err
	}
	if err := p.queries.fill(batch.QueryLabels, nil, 0); err != nil {
		return fmt.Errorf("query labels: %w", err)
	}
	if err := p.makePrototypes(ctx, batch); err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	if p.Options.Loss == PullInfoNCE {
		return p.makePools(batch)
	}
	return nil
}

// makePrototypes sums the keys' features up, here or where they lie.
func (p *Pull) makePrototypes(ctx context.Context, batch PullBatch) error {
	k, labels := &p.prototyper, batch.Keys.Labels
	if batch.Reader == nil {
		return k.fill(p.prototypes, p.Stats.Present, batch.Keys.Features, labels, p.Grid.N)
	}
	clear(k.counts)
	if err := k.findRuns(labels); err != nil {
		return err
	}
	if err := batch.Reader.Sums(ctx, k.sums, labels); err != nil {
		return err
	}
	return k.normalise(p.prototypes, p.Stats.Present)
}

func (p *Pull) check(batch PullBatch) error {
	positions := p.Grid.Positions()
	if len(batch.QueryLabels) != positions {
		return fmt.Errorf("%d query labels for %d positions", len(batch.QueryLabels), positions)
	}
	away := batch.Reader != nil
	if err := p.checkMap("keys", &batch.Keys, away); err != nil {
		return err
	}
	if w := batch.ClassWeights; w != nil {
		if len(w) != p.Options.Classes {
			return fmt.Errorf("%d class weights for %d classes", len(w), p.Options.Classes)
		}
		for c, v := range w {
			if !(v >= 0) || math.IsInf(v, 0) {
				return fmt.Errorf("weight %g of class %d", v, c)
			}
		}
	}
	if p.Options.Loss == PullMSE {
		return nil
	}
	if err := p.checkMap("source", &batch.Source, away); err != nil {
		return err
	}
	if batch.Target == nil {
		return nil
	}
	if len(batch.Target.Confidence) != positions {
		return fmt.Errorf("target: %d confidences for %d positions", len(batch.Target.Confidence), positions)
	}
	return p.checkMap("target", batch.Target, away)
}

// checkMap holds a map against the grid; away says that its features are a reader's.
func (p *Pull) checkMap(name string, m *FeatureMap, away bool) error {
	positions := p.Grid.Positions()
	if len(m.Labels) != positions || !away && len(m.Features) != positions*p.Grid.D {
		return fmt.Errorf("%s: %d labels and %d features for %d positions of width %d", name, len(m.Labels), len(m.Features), positions, p.Grid.D)
	}
	return nil
}

// makePools groups the candidates for negatives of both domains.
func (p *Pull) makePools(batch PullBatch) error {
	if err := p.source.fill(batch.Source.Labels, nil, 0); err != nil {
		return fmt.Errorf("source: %w", err)
	}
	p.target.clear()
	p.Stats.Gamma = 0
	if t := batch.Target; t != nil {
		p.Stats.Gamma = Percentile(t.Confidence, 100*p.Options.Alpha)
		if math.IsNaN(p.Stats.Gamma) {
			return errors.New("a target confidence is NaN")
		}
		if err := p.target.fill(t.Labels, t.Confidence, p.Stats.Gamma); err != nil {
			return fmt.Errorf("target: %w", err)
		}
	}
	for c := range p.Options.Classes {
		p.Stats.SourcePool[c], p.Stats.TargetPool[c] = p.source.others(c), p.target.others(c)
	}
	return nil
}

// allot decides how many queries each class gets.
func (p *Pull) allot() {
	for c := range p.available {
		p.available[c] = p.queries.count(c)
	}
	QueryCounts(p.counts, p.available, p.Options.Queries, p.Options.Balanced)
	s := &p.Stats
	for c, count := range p.counts {
		usable := s.Present[c]
		if p.Options.Loss == PullInfoNCE {
			usable = usable && s.SourcePool[c]+s.TargetPool[c] > 0
		}
		s.Queries[c], s.Dropped[c] = count, 0
		if !usable {
			s.Queries[c], s.Dropped[c] = 0, count
		}
	}
}

// weigh sets w̃: the class weights over the classes that have queries, times the
// number of queries where the mean is over pairs, to sum 1. Where all of them
// weigh 0 they count alike.
func (p *Pull) weigh(classWeights []float64) {
	weight := func(c int) float64 { return classWeights[c] }
	if classWeights == nil || p.total(weight) == 0 {
		weight = func(int) float64 { return 1 }
	}
	sum := p.total(weight)
	for c := range p.Stats.Weights {
		p.Stats.Weights[c] = 0
		if share := p.share(c); share > 0 {
			p.Stats.Weights[c] = share * weight(c) / sum
		}
	}
}

// total is the sum over the classes of share times weight.
func (p *Pull) total(weight func(c int) float64) float64 {
	sum := 0.0
	for c := range p.Stats.Queries {
		sum += p.share(c) * weight(c)
	}
	return sum
}

// share is how often a class counts in L_pull's mean.
func (p *Pull) share(c int) float64 {
	if p.Options.Mean == MeanPair {
		return float64(p.Stats.Queries[c])
	}
	return float64(min(p.Stats.Queries[c], 1))
}

// drawQueries packs the queries of each class into blocks of their own.
func (p *Pull) drawQueries(r *rand.Rand) {
	p.parted = false
	clear(p.Index)
	clear(p.Weights)
	clear(p.BlockClass)
	d, size := p.Grid.D, p.Options.Block
	block := 0
	for c, count := range p.Stats.Queries {
		if count == 0 {
			continue
		}
		positions := p.queries.order[p.queries.start[c]:p.queries.start[c+1]]
		weight := float32(p.Stats.Weights[c] / float64(count))
		for i, drawn := range p.sampler.draw(r, count, len(positions)) {
			slot := block*size + i // the class's blocks follow each other
			p.Index[slot], p.Weights[slot] = int64(positions[drawn]), weight
		}
		for range ceilDiv(count, size) {
			copy(p.Positives[block*d:(block+1)*d], p.prototypes[c*d:(c+1)*d])
			if p.BlockClass != nil {
				p.BlockClass[block] = int64(c)
			}
			block++
		}
	}
}

// drawNegatives draws m negatives for every class with queries (of an odd m, the
// larger half from the source).
func (p *Pull) drawNegatives(r *rand.Rand) {
	m, s := p.Options.Negatives, &p.Stats
	p.source.keys, p.target.keys = p.source.keys[:0], p.target.keys[:0]
	for c, count := range s.Queries {
		if count == 0 {
			continue
		}
		row := int32(c * m)
		if !p.Options.Equalised {
			p.drawUnion(r, c, row)
			continue
		}
		fromTarget := m / 2
		switch {
		case s.TargetPool[c] == 0:
			fromTarget = 0
		case s.SourcePool[c] == 0:
			fromTarget = m
		}
		for _, i := range p.sampler.draw(r, m-fromTarget, s.SourcePool[c]) {
			p.source.take(c, i, row)
			row++
		}
		for _, i := range p.sampler.draw(r, fromTarget, s.TargetPool[c]) {
			p.target.take(c, i, row)
			row++
		}
	}
}

// negativeIndex is what was drawn, row by row; classes without queries keep theirs.
func (p *Pull) negativeIndex() []int64 {
	if p.negativeAt == nil {
		p.negativeAt = make([]int64, p.Options.Classes*p.Options.Negatives)
	}
	for _, k := range p.source.keys {
		p.negativeAt[k.row] = int64(k.position)
	}
	for _, k := range p.target.keys {
		p.negativeAt[k.row] = int64(p.Grid.Positions()) + int64(k.position)
	}
	return p.negativeAt
}

// fetchNegatives begins to copy the drawn features, all of one domain in one pass and those of
// both at the same time, to rows that do not overlap.
func (p *Pull) fetchNegatives(batch PullBatch) {
	if batch.Target != nil {
		p.copying.Go(func() { p.target.fetch(p.Negatives, batch.Target.Features, p.target.keys) })
	}
	p.copying.Go(func() { p.source.fetch(p.Negatives, batch.Source.Features, p.source.keys) })
}

// drawUnion draws m negatives of class c from both pools together.
func (p *Pull) drawUnion(r *rand.Rand, c int, row int32) {
	source := p.Stats.SourcePool[c]
	for _, i := range p.sampler.draw(r, p.Options.Negatives, source+p.Stats.TargetPool[c]) {
		if i < source {
			p.source.take(c, i, row)
		} else {
			p.target.take(c, i-source, row)
		}
		row++
	}
}
