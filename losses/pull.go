package losses

import (
	"fmt"
	"math"
	"sync"

	"t2sda/graphs"
	"t2sda/graphs/program"
)

// PullLoss is the distance between queries and keys.
type PullLoss string

// The two losses of the paper.
const (
	PullInfoNCE PullLoss = "infonce" // one positive against negatives
	PullMSE     PullLoss = "mse"     // squared distance to the positive
)

// PullMean is what L_pull's mean is taken over.
type PullMean string

// The means of L_pull. With w_c the class weights and Q_c the queries of a class:
const (
	// MeanClass is Σ_c w_c·mean_{q∈Q_c} ℓ / Σ_c w_c: a class with queries counts by
	// its weight, however few they are.
	MeanClass PullMean = "class"
	// MeanPair is Σ_c Σ_{q∈Q_c} w_c·ℓ / Σ_c |Q_c|·w_c: every positive pair counts by
	// its class's weight, so that sampling decides how much a class counts in all.
	MeanPair PullMean = "pair"
)

// PullOptions configure L_pull.
type PullOptions struct {
	Classes     int      // C
	Loss        PullLoss // T2S-InfoNCE or T2S-MSE
	Mean        PullMean // over classes or over pairs
	Queries     int      // n, the mean number of queries per class
	Balanced    bool     // CBQS; else CEQS, see [QueryCounts]
	Block       int      // queries of one class that share a matrix product; 64 is good
	Negatives   int      // m per class, shared by its queries (InfoNCE only)
	Equalised   bool     // DENPS: half of the negatives from either domain; else m from the union
	Alpha       float64  // share of the target's positions, the least confident ones, that may be negatives
	Temperature float64  // τ (InfoNCE only)
}

// DefaultPull returns the method's settings for a number of classes.
func DefaultPull(classes int) PullOptions {
	return PullOptions{
		Classes: classes, Loss: PullInfoNCE, Mean: MeanClass, Queries: 128, Balanced: true, Block: 64,
		Negatives: 1024, Equalised: true, Alpha: 0.5, Temperature: 0.2,
	}
}

// Validate reports the first field that makes no sense.
func (o PullOptions) Validate() error {
	switch {
	case o.Classes < 1 || o.Classes > 255:
		return fmt.Errorf("losses: pull: %d classes (1 … 255)", o.Classes)
	case o.Loss != PullInfoNCE && o.Loss != PullMSE:
		return fmt.Errorf("losses: pull: loss %q is neither %q nor %q", o.Loss, PullInfoNCE, PullMSE)
	case o.Mean != MeanClass && o.Mean != MeanPair:
		return fmt.Errorf("losses: pull: mean %q is neither %q nor %q", o.Mean, MeanClass, MeanPair)
	case o.Queries < 1:
		return fmt.Errorf("losses: pull: %d queries per class", o.Queries)
	case o.Block < 1:
		return fmt.Errorf("losses: pull: blocks of %d queries", o.Block)
	case o.Loss == PullMSE:
		return nil
	case o.Negatives < 1:
		return fmt.Errorf("losses: pull: %d negatives per class", o.Negatives)
	case !(o.Alpha >= 0 && o.Alpha <= 1):
		return fmt.Errorf("losses: pull: α = %g is outside of 0 … 1", o.Alpha)
	case !(o.Temperature > 0) || math.IsInf(o.Temperature, 0):
		return fmt.Errorf("losses: pull: temperature %g is not positive", o.Temperature)
	}
	return nil
}

// Grid is the size of the feature maps [N,D,H,W] of a batch.
type Grid struct{ N, D, H, W int }

// Positions returns N·H·W.
func (g Grid) Positions() int { return g.N * g.H * g.W }

// Pull is the plan of L_pull for batches of one size: the arrays that the
// session reads, refilled in place by [Pull.Plan], and what the last plan
// held. Until the first plan all weights are 0. It is not safe for concurrent
// use.
type Pull struct {
	Options PullOptions
	Grid    Grid
	Blocks  int // B, see [Capacity]

	// What sessions read, see [Pull.Loss]. A caller who has memory of its own for
	// them may set the fields to slices of the same lengths before that.
	Index      []int64   // [B·Q] flat positions of the queries, 0 in empty slots
	Weights    []float32 // [B,Q] w̃_c/|Q_c|, 0 in empty slots
	Positives  []float32 // [B,D] the prototype of each block's class
	Negatives  []float32 // [C,m,D] negative keys; rows of classes without queries are left as they were
	BlockClass []int64   // [B] 0 in empty blocks

	Stats Stats

	queries        groups
	source, target pool
	sampler        sampler
	prototyper     prototyper
	prototypes     []float32      // [C,D]
	counts         []int          // [C]
	available      []int          // [C]
	negativeAt     []int64        // [C·m] where a reader has the features; nil before the first plan
	copying        sync.WaitGroup // of negatives

	// What the last plan drew, once a part of it was taken, see [Pull.Part].
	parted       bool
	wholeIndex   []int64
	wholeWeights []float32
}

// Stats says what a plan drew, per class.
type Stats struct {
	Queries []int // drawn
	// Dropped counts the queries that a class should have had but could not use:
	// it has no prototype (absent from the key domain), or no negatives in
	// either domain.
	Dropped []int
	Present []bool    // has a prototype
	Weights []float64 // w̃, of all queries of a class together: 0 without queries, else they add up to 1
	// The sizes of the pools that negatives were drawn from: positions of other
	// classes. All 0 for the MSE loss.
	SourcePool, TargetPool []int
	Gamma                  float64 // γ, the confidence below which target positions may be negatives
}

// NewPull checks the options, computes the capacity and allocates everything
// that plans need.
func NewPull(o PullOptions, grid Grid) (*Pull, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if grid.N < 1 || grid.D < 1 || grid.H < 1 || grid.W < 1 || grid.Positions() > math.MaxInt32 {
		return nil, fmt.Errorf("losses: pull: feature maps of [%d,%d,%d,%d]", grid.N, grid.D, grid.H, grid.W)
	}
	c, positions := o.Classes, grid.Positions()
	blocks := Capacity(c, o.Queries, o.Block, positions, o.Balanced)
	p := &Pull{
		Options: o, Grid: grid, Blocks: blocks,
		Index: make([]int64, blocks*o.Block), Weights: make([]float32, blocks*o.Block), Positives: make([]float32, blocks*grid.D),
		Stats: Stats{
			Queries: make([]int, c), Dropped: make([]int, c), Present: make([]bool, c), Weights: make([]float64, c),
			SourcePool: make([]int, c), TargetPool: make([]int, c),
		},
		queries: newGroups(c, positions), prototypes: make([]float32, c*grid.D),
		counts: make([]int, c), available: make([]int, c),
	}
	p.prototyper.init(c, grid.D, positions)
	most := min(positions, c*o.Queries) // queries of one class
	if o.Loss == PullInfoNCE {
		p.Negatives, p.BlockClass = make([]float32, c*o.Negatives*grid.D), make([]int64, blocks)
		p.source, p.target = newPool(o, grid), newPool(o, grid)
		most = max(most, o.Negatives)
	}
	p.sampler = newSampler(2*positions, most) // the union of both domains is the largest population
	return p, nil
}

// Loss returns L_pull of the student's features [N,D,h,w], normalised per position,
// as a scalar of the program, whose runs read the plan where it lies. negatives [C,m,D]
// are those that a [FeatureReader] fetches; nil: the plan's own.
func (p *Pull) Loss(b *program.Program, features, negatives *graphs.Value) *graphs.Value {
	o, n, d := p.Options, p.Blocks, p.Grid.D
	index := program.InputOf(b, "pull.index", p.Index, n*o.Block)
	weights := program.InputOf(b, "pull.weights", p.Weights, n, o.Block)
	positives := program.InputOf(b, "pull.positives", p.Positives, n, d)
	if o.Loss == PullMSE {
		return MSE(features, index, weights, positives)
	}
	if negatives == nil {
		negatives = program.InputOf(b, "pull.negatives", p.Negatives, o.Classes, o.Negatives, d)
	}
	blockClass := program.InputOf(b, "pull.block_class", p.BlockClass, n)
	return InfoNCE(features, index, weights, positives, negatives, blockClass, float32(o.Temperature))
}
