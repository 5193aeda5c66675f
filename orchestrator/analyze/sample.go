package analyze

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"t2sda/internal/raster"
	"t2sda/internal/rng"
)

// point is the features of one position.
type point struct {
	class  uint8
	target bool      // else source
	unit   []float32 // [D], of unit length
}

// sample collects a uniform sample of each class's positions of a domain. Which
// ones depends on the seed and on how many there are, not on the network: two
// networks on one grid are looked at in the same positions.
type sample struct {
	target bool
	wanted [][]int64 // [C] numbers of positions within the class, ascending
	seen   []int64   // [C] positions so far
	points []point
}

// newSample draws up to n positions of each class; counts [C] says how many
// there are.
func newSample(d *domain, counts []int64, n int, seed uint64) *sample {
	s := &sample{target: d.Domain == targetName, wanted: make([][]int64, len(counts)), seen: make([]int64, len(counts))}
	for c, have := range counts {
		s.wanted[c] = draw(rng.New(seed, c, "analyze/positions/"+d.Domain), n, have)
	}
	return s
}

// draw returns k numbers below n, a uniform subset in ascending order (R. Floyd's
// algorithm, Bentley, CACM 30(9), 1987); all if there are no more.
func draw(r *rand.Rand, k int, n int64) []int64 {
	drawn := map[int64]bool{}
	for j := max(0, n-int64(k)); j < n; j++ {
		i := r.Int64N(j + 1)
		if drawn[i] {
			i = j
		}
		drawn[i] = true
	}
	out := make([]int64, 0, len(drawn))
	for i := range drawn {
		out = append(out, i)
	}
	slices.Sort(out)
	return out
}

// add takes one image's features [D,h,w] and the labels [h,w] of the same grid,
// in the order in which positions were counted.
func (s *sample) add(features []float32, labels []uint8) {
	for i, c := range labels {
		if c == raster.Void {
			continue
		}
		if w := s.wanted[c]; len(w) > 0 && w[0] == s.seen[c] {
			s.wanted[c] = w[1:]
			s.points = append(s.points, point{c, s.target, unitAt(features, i, len(labels))})
		}
		s.seen[c]++
	}
}

// unitAt returns the features [D] at position i of n, at unit length; zeros stay
// zeros.
func unitAt(features []float32, i, n int) []float32 {
	x := make([]float32, len(features)/n)
	square := 0.0
	for d := range x {
		x[d] = features[d*n+i]
		square += float64(x[d]) * float64(x[d])
	}
	if square > 0 {
		for d := range x {
			x[d] = float32(float64(x[d]) / math.Sqrt(square))
		}
	}
	return x
}

// complete returns an error unless every wanted position came.
func (s *sample) complete() error {
	for c, w := range s.wanted {
		if len(w) > 0 {
			return fmt.Errorf("class %d had more positions in the first pass than the %d of the second: label files changed meanwhile", c, s.seen[c])
		}
	}
	return nil
}
