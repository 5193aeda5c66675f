package nets

import (
	"math"

	"t2sda/graphs"
)

// projectorFloor is the least squared length that the ℓ2 normalisation divides by: features of
// length 0 (all of ReLU's outputs can be 0) stay 0 and get no gradient.
const projectorFloor = 1e-12

// Encoded returns what the projector reads, or would read, of Encode's levels, [N,D,h,w]: by the
// architecture's ProjectorInput the last level, or all at the first one's size, concatenated.
func (n *Net) Encoded(levels []*graphs.Value) *graphs.Value {
	n.checkLevels("Encoded", levels)
	if n.arch.ProjectorInput == ProjectLast {
		return levels[len(levels)-1]
	}
	resized := make([]*value, len(levels))
	for i, l := range levels {
		resized[i] = n.resizedTo(l, levels[0])
	}
	return n.g.Concat(1, resized...)
}

// project is the T2S projector: two blocks of 1×1 convolution, batch norm and ReLU, then ℓ2
// normalisation. It reads the last level, or the concatenation of all levels at the first one's
// size; its first product with that is a sum of products with the levels, see segformer.
func (n *Net) project(levels []*value) *value {
	g, d := n.g, n.arch.ProjectorWidth
	last := n.arch.ProjectorInput == ProjectLast
	if last {
		levels = levels[len(levels)-1:]
	}
	widths, in := channels(levels), 0
	for _, c := range widths {
		in += c
	}
	first := n.convBN("projector.0", d, in, 1, graphs.ConvAttrs{})
	second := n.convBN("projector.1", d, d, 1, graphs.ConvAttrs{})
	var y *value
	if last {
		y = first.relu(levels[0])
	} else {
		kernels := g.Split(g.Reshape(first.weight(), d, in), 1, widths...)
		y = g.Relu(first.finish(n.sumResized(levels, kernels, nil)))
	}
	y = second.relu(y)
	length := g.Sqrt(g.Clip(g.ReduceSum(g.Mul(y, y), []int{1}, true), projectorFloor, math.MaxFloat32))
	return g.Div(y, length)
}
