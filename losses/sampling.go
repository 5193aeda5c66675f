package losses

import (
	"math/rand/v2"

	"t2sda/internal/raster"
)

// QueryCounts fills counts [C] with the number of queries n_c of each class,
// given how many positions available [C] bear its label.
//
// Class-balanced query sampling (balanced, CBQS) follows the label frequency
// p̂(c) = available_c / Σ available:
//
//	n_c = ⌈C · p̂(c) · n⌉
//
// so that the mean over the classes stays n; class-equal sampling (CEQS) takes
// n of each class that is present. No class gives more than it has.
func QueryCounts(counts, available []int, n int, balanced bool) {
	total := 0
	for _, a := range available {
		total += a
	}
	for c, a := range available {
		counts[c] = 0
		switch {
		case a == 0:
		case balanced:
			// In integers: a rounding error must not turn a whole number into the next one.
			counts[c] = min(a, (len(available)*n*a+total-1)/total)
		default:
			counts[c] = min(a, n)
		}
	}
}

// Capacity returns how many blocks of block queries, each of one class, hold
// whatever [QueryCounts] can ask for over positions labelled positions.
//
// With CEQS that is C·⌈n/block⌉. With CBQS, ⌈⌈x⌉/block⌉ = ⌈x/block⌉ < x/block+1 for
// x_c = C·p̂(c)·n, whose sum is C·n: together less than C·n/block + C. No class
// gives more than it has, hence also less than positions/block + C; and there
// are no more blocks than positions.
func Capacity(classes, n, block, positions int, balanced bool) int {
	perClass := classes * ceilDiv(n, block)
	if balanced {
		perClass = ceilDiv(classes*n, block) + classes - 1
	}
	return min(perClass, ceilDiv(positions, block)+classes-1, positions)
}

func ceilDiv(a, b int) int { return (a + b - 1) / b }

// groups lists the positions of a label map by class, in ascending order
// within a class.
type groups struct {
	order []int32 // positions, class after class
	start []int   // [C+1]: class c owns order[start[c]:start[c+1]]
}

func newGroups(classes, positions int) groups {
	return groups{order: make([]int32, positions), start: make([]int, classes+1)}
}

// fill groups the positions that are not void. With confidence, only those
// whose confidence is below limit. It is a counting sort.
func (g *groups) fill(labels []uint8, confidence []float32, limit float64) error {
	classes := len(g.start) - 1
	var ends [256]int // first the counts, then where each class's next position goes
	for i, label := range labels {
		if confidence == nil || float64(confidence[i]) < limit {
			ends[label]++
		}
	}
	for label := classes; label < raster.Void; label++ {
		if ends[label] > 0 {
			return labelError(uint8(label), classes)
		}
	}
	for c := range classes {
		g.start[c+1] = g.start[c] + ends[c]
		ends[c] = g.start[c]
	}
	for i, label := range labels {
		if label != raster.Void && (confidence == nil || float64(confidence[i]) < limit) {
			g.order[ends[label]] = int32(i)
			ends[label]++
		}
	}
	return nil
}

// clear makes all groups empty.
func (g *groups) clear() { clear(g.start) }

func (g *groups) total() int      { return g.start[len(g.start)-1] }
func (g *groups) count(c int) int { return g.start[c+1] - g.start[c] }

// others returns how many positions belong to other classes than c.
func (g *groups) others(c int) int { return g.total() - g.count(c) }

// other returns the i-th position that does not belong to c: a class is one
// range of order, so leaving it out is a shift.
func (g *groups) other(c, i int) int32 {
	if i >= g.start[c] {
		i += g.count(c)
	}
	return g.order[i]
}

// pool is a domain's candidates for negatives, those of them that were drawn,
// and what fetches their features.
type pool struct {
	groups
	gatherer
	keys []key
}

func newPool(o PullOptions, grid Grid) pool {
	most := o.Classes * o.Negatives
	return pool{
		groups: newGroups(o.Classes, grid.Positions()), gatherer: newGatherer(grid.N, grid.D, grid.H*grid.W, most),
		keys: make([]key, 0, most),
	}
}

// take records that row holds the i-th candidate for negatives of class c.
func (p *pool) take(c, i int, row int32) {
	p.keys = append(p.keys, key{position: p.other(c, i), row: row})
}

// sampler draws subsets in O(size of the subset) time and without allocating.
type sampler struct {
	seen  []uint32 // seen[i] == round: i has been drawn in this round
	round uint32
	drawn []int // the last draw
}

func newSampler(population, most int) sampler {
	return sampler{seen: make([]uint32, population), drawn: make([]int, 0, most)}
}

// draw returns k numbers below population: a uniform subset if population is
// large enough (R. Floyd's algorithm, Bentley, CACM 30(9), 1987), else k
// independent draws with replacement. The order within a subset is not uniform.
// The result is valid until the next draw. population must be positive unless k
// is 0.
func (s *sampler) draw(r *rand.Rand, k, population int) []int {
	s.drawn = s.drawn[:0]
	if k > population {
		for range k {
			s.drawn = append(s.drawn, r.IntN(population))
		}
		return s.drawn
	}
	if s.round++; s.round == 0 { // after 2³² draws the stamps would be ambiguous
		clear(s.seen)
		s.round = 1
	}
	for j := population - k; j < population; j++ {
		i := r.IntN(j + 1)
		if s.seen[i] == s.round {
			i = j
		}
		s.seen[i] = s.round
		s.drawn = append(s.drawn, i)
	}
	return s.drawn
}
