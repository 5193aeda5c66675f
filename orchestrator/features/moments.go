package features

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
)

// Moments add up a domain's features by class, in float64.
type Moments struct {
	Count  []int64     // [C] positions
	sum    [][]float64 // [C][D]
	square []float64   // [C], Σ‖x‖²
}

// NewMoments returns sums of nothing yet.
func NewMoments(classes, depth int) *Moments {
	m := &Moments{Count: make([]int64, classes), sum: make([][]float64, classes), square: make([]float64, classes)}
	for c := range m.sum {
		m.sum[c] = make([]float64, depth)
	}
	return m
}

// Add takes one image's features [D,h,w] and the labels [h,w] of the same grid.
func (m *Moments) Add(features []float32, labels []uint8) {
	var count [256]int64
	for _, l := range labels {
		count[l]++
	}
	for c := range m.Count {
		m.Count[c] += count[c]
	}
	for d := range m.sum[0] {
		plane := features[d*len(labels):][:len(labels)]
		var sum, square [256]float64 // void's share ends in its own slot
		for i, l := range labels {
			v := float64(plane[i])
			sum[l] += v
			square[l] += v * v
		}
		for c := range m.Count {
			m.sum[c][d] += sum[c]
			m.square[c] += square[c]
		}
	}
}

// Check returns an error when there are no labels, or when a class's features
// are not finite.
func (m *Moments) Check(names []string) error {
	if slices.Max(m.Count) == 0 {
		return errors.New("no position of the images has a label: they are void everywhere")
	}
	for c, s := range m.square {
		if math.IsNaN(s) || math.IsInf(s, 0) {
			return fmt.Errorf("features of class %s are not finite", names[c])
		}
	}
	return nil
}

// Means returns μ_c [C][D]; nil for a class without positions.
func (m *Moments) Means() [][]float64 {
	means := make([][]float64, len(m.sum))
	for c, n := range m.Count {
		if n > 0 {
			means[c] = floats.ScaleTo(make([]float64, len(m.sum[c])), 1/float64(n), m.sum[c])
		}
	}
	return means
}

// CCD returns the class centre distance of each class; NaN where the class or
// every other one has no positions. Two classes with one mean make it infinite.
func (m *Moments) CCD() []float64 {
	means := m.Means()
	out := make([]float64, len(means))
	for c, mean := range means {
		if mean == nil {
			out[c] = math.NaN()
			continue
		}
		// E‖x − μ‖² = E‖x‖² − ‖μ‖²; what rounding takes below 0 is 0.
		spread := max(0, m.square[c]/float64(m.Count[c])-floats.Dot(mean, mean))
		sum, others := 0.0, 0
		for j, other := range means {
			if other != nil && j != c {
				distance := floats.Distance(mean, other, 2)
				sum += spread / (distance * distance)
				others++
			}
		}
		out[c] = sum / float64(others)
	}
	return out
}
