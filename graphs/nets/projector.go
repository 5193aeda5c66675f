package nets

import (
	"math"

	"t2sda/graphs"
)

// projectorFloor is the least squared length that the ℓ2 normalisation divides by: features of length 0 (all of ReLU's outputs can be 0) stay 0 and get no gradient.
const projectorFloor = 1e-12

// projectorSpecs adds the T2S projector: two blocks of 1×1 convolution, batch norm and ReLU.
func projectorSpecs(l *specList, a Arch, e encoder) {
	in := e.widths[3]
	if a.ProjectorInput == ProjectConcat {
		in += e.widths[0] + e.widths[1] + e.widths[2]
	}
	l.convBN("projector.0", a.ProjectorWidth, in, 1, 1)
	l.convBN("projector.1", a.ProjectorWidth, a.ProjectorWidth, 1, 1)
}

// Project returns the features [N,ProjectorWidth,h,w] of unit length per position, for the four levels that Encode returns: at stride 4 from the concatenation of all levels (as a sum of
// per-level products, see segformer), or at stride 32 from the last. It panics with *graphs.Error when the architecture has no projector.
func (n *Net) Project(levels []*graphs.Value) *graphs.Value {
	n.checkLevels("Project", levels)
	if n.arch.ProjectorWidth == 0 {
		panic(&graphs.Error{Op: "Project", Message: "the architecture has no projector (projector width 0)"})
	}
	g := n.g
	var y *value
	g.WithScope("projector", func() {
		if n.arch.ProjectorInput == ProjectLast {
			y = n.convBN(levels[3], "projector.0", graphs.ConvAttrs{})
		} else {
			weight := n.fusion("projector.0")
			kernels := g.Split(g.Reshape(weight, weight.Dim(0), weight.Dim(1)), 1, n.enc.widths[:]...)
			y = n.fusedBN(n.sumResized(levels, kernels, nil), "projector.0")
		}
		y = n.convBN(y, "projector.1", graphs.ConvAttrs{})
		length := g.Sqrt(g.Clip(g.ReduceSum(g.Mul(y, y), []int{1}, true), projectorFloor, math.MaxFloat32))
		y = g.Div(y, length)
	})
	return y
}
