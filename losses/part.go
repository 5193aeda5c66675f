package losses

import "fmt"

// Part makes the plan's memory, which sessions read, that of part m of parts equal parts
// of the batch's images: positions are within the part, and queries of other parts weigh
// 0. What the plan drew is kept, so that one part may follow another until the next plan.
func (p *Pull) Part(m, parts int) {
	if !p.parted {
		p.wholeIndex, p.wholeWeights = append(p.wholeIndex[:0], p.Index...), append(p.wholeWeights[:0], p.Weights...)
		p.parted = true
	}
	each := int64(p.Grid.Positions() / parts)
	from := int64(m) * each
	for slot, position := range p.wholeIndex {
		p.Index[slot], p.Weights[slot] = 0, 0
		if weight := p.wholeWeights[slot]; weight != 0 && position >= from && position < from+each {
			p.Index[slot], p.Weights[slot] = position-from, weight
		}
	}
}

// SumByClass adds to sums [C,D] the features [N,D,h,w] of each class, N being the number
// of images and D the width; labels are [N,h,w]. It is what a [FeatureReader] sums.
func SumByClass(sums []float64, features []float32, labels []uint8, images, width int) error {
	var p prototyper
	p.init(len(sums)/width, width, len(labels))
	if images < 1 || len(labels)%images != 0 || len(features) != len(labels)*width || len(p.sums) != len(sums) {
		return fmt.Errorf("losses: %d features and %d labels do not fill %d images of width %d", len(features), len(labels), images, width)
	}
	if err := p.add(features, labels, images); err != nil {
		return fmt.Errorf("losses: sums of features: %w", err)
	}
	for i, v := range p.sums {
		sums[i] += v
	}
	return nil
}

// Rows copies the features [N,D,h,w] at flat positions to those rows of dst [..,D].
func Rows(dst, features []float32, grid Grid, positions []int32, rows []int) {
	keys := make([]key, len(positions))
	for i, at := range positions {
		keys[i] = key{position: at, row: int32(rows[i])}
	}
	g := newGatherer(grid.N, grid.D, grid.H*grid.W, len(keys))
	g.fetch(dst, features, keys)
}

// NegativeRows lists the rows of the negatives [C,m] that the last plan drew, those of
// classes with queries, in ascending order.
func (p *Pull) NegativeRows() []int {
	var rows []int
	for c, count := range p.Stats.Queries {
		if count > 0 {
			for row := c * p.Options.Negatives; row < (c+1)*p.Options.Negatives; row++ {
				rows = append(rows, row)
			}
		}
	}
	return rows
}
