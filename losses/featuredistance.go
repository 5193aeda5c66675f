package losses

import (
	"fmt"

	"t2sda/graphs"
	"t2sda/internal/raster"
)

// FeatureDistance returns Σ weights · ‖features − frozen‖₂ as a scalar, the norm
// taken over the channels of each position (DAFormer's thing-class ImageNet
// feature distance, Hoyer et al. 2022, section 3.3):
//
//	features, frozen  float32 [N,D,h,w], of the trained and of a frozen encoder
//	weights           float32 [N,h,w], denominators included, see [Things.Weigh]
//
// At a distance of 0, where the norm has no derivative, the gradient is 0:
// before its first step a network equals the frozen one.
//
// It panics with *graphs.Error on operands of other shapes.
func FeatureDistance(features, frozen, weights *graphs.Value) *graphs.Value {
	checkFeatureDistance(features, frozen, weights)
	g := features.Graph()
	var loss *graphs.Value
	g.WithScope("feature_distance", func() {
		d := g.Sub(features, frozen)
		square := g.ReduceSum(g.Mul(d, d), []int{1}, false) // [N,h,w]
		// The root of 0 is never taken: its derivative is infinite, and that times a
		// cotangent of 0 is no number.
		zero := g.Scalar(0)
		apart := g.Greater(square, zero)
		norm := g.Where(apart, g.Sqrt(g.Where(apart, square, g.Scalar(1))), zero)
		loss = g.ReduceSum(g.Mul(norm, weights), nil, false)
	})
	return loss
}

func checkFeatureDistance(features, frozen, weights *graphs.Value) {
	a, b, c := features.Shape(), frozen.Shape(), weights.Shape()
	ok := len(a) == 4 && a.Equal(b) && len(c) == 3 && a[0] == c[0] && a[2] == c[1] && a[3] == c[2]
	if !ok {
		panic(&graphs.Error{
			Op: "FeatureDistance", Node: features.Name(), Shapes: []graphs.Shape{a, b, c},
			Message: "want features and frozen features [N,D,h,w], weights [N,h,w]",
		})
	}
}

// Things tells the positions that show a thing: where one class covers at least the share
// Ratio of a position's cell of labels, void pixels included, and Classes [C] holds for
// that class (DAFormer's section 3.3).
type Things struct {
	Classes []bool
	Ratio   float64
}

// Weigh fills the weights [n,h,w] of [FeatureDistance] for a mean over the positions of
// labels [n,height,width] that show a thing, and returns their number: 1/number at those, 0
// elsewhere, all 0 where there is none. Where the labels are a part of a batch, of is the
// number in all of it that the mean is taken over; 0: that in the labels. It is an error
// when the grid is finer than the labels and when a cell is covered by what is neither a
// class nor void.
func (t Things) Weigh(weights []float32, labels []uint8, n, height, width, h, w, of int) (int, error) {
	if err := checkGrid(len(weights), len(labels), n, height, width, h, w); err != nil {
		return 0, fmt.Errorf("losses: weights of things: %w", err)
	}
	grid := make([]uint8, n*h*w)
	for i := range n {
		majority(grid[i*h*w:(i+1)*h*w], labels[i*height*width:(i+1)*height*width], height, width, h, w, t.Ratio)
	}
	count := 0
	for _, label := range grid {
		if int(label) >= len(t.Classes) && label != raster.Void {
			return 0, fmt.Errorf("losses: weights of things: %w", labelError(label, len(t.Classes)))
		}
		if label != raster.Void && t.Classes[label] {
			count++
		}
	}
	if of == 0 {
		of = count
	}
	for i, label := range grid {
		weights[i] = 0
		if label != raster.Void && t.Classes[label] {
			weights[i] = float32(1 / float64(of))
		}
	}
	return count, nil
}
