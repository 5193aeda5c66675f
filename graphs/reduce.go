package graphs

// Reductions: over the given axes, or all of them when none is given.

// ReduceSum returns the sum over axes, which stay as dimensions of 1 when keepDims is set.
func (g *Graph) ReduceSum(x *Value, axes []int, keepDims bool) *Value {
	g.checkFloat("ReduceSum", x)
	list := g.axes("ReduceSum", x, axes)
	shape, trivial := reduced(x.shape, list, keepDims)
	if trivial {
		return g.Reshape(x, shape...)
	}
	return g.add1("ReduceSum", []*Value{x, g.ints1(list)}, Float32, shape, Attr{"keepdims", flag(keepDims)})
}

// reduceSumGrad: ∂x = dy, broadcast.
func reduceSumGrad(s *step) {
	_, axes := s.in(1).Constant()
	list := make([]int, len(axes))
	for i, a := range axes {
		list[i] = int(a)
	}
	s.give(0, s.keep(s.dy(), list))
}

// keep gives a value of the reduction's output shape the reduced axes back, as dimensions of 1.
func (s *step) keep(v *Value, axes []int) *Value {
	if v.shape.Size() == 1 {
		return s.Reshape(v)
	}
	kept, _ := reduced(s.in(0).shape, axes, true)
	return s.Reshape(s.Expand(v, s.out().shape...), kept...)
}

// ReduceMean returns the mean over axes.
func (g *Graph) ReduceMean(x *Value, axes []int, keepDims bool) *Value {
	return g.reduce("ReduceMean", x, axes, keepDims)
}

// reduceMeanGrad: ∂x = dy/n, broadcast, for n elements per mean.
func reduceMeanGrad(s *step) {
	n := s.in(0).shape.Size() / s.out().shape.Size()
	s.give(0, s.keep(s.Mul(s.dy(), s.Scalar(1/float32(n))), s.node.Ints("axes")))
}

// ReduceMax returns the largest element over axes. Equal largest elements share the cotangent in
// equal parts.
func (g *Graph) ReduceMax(x *Value, axes []int, keepDims bool) *Value {
	return g.reduce("ReduceMax", x, axes, keepDims)
}

// reduceMaxGrad: ∂x = dy/k where x = y, for k such elements.
func reduceMaxGrad(s *step) {
	axes := s.node.Ints("axes")
	hit := s.Cast(s.Equal(s.in(0), s.keep(s.out(), axes)), Float32)
	s.give(0, s.Mul(hit, s.Div(s.keep(s.dy(), axes), s.ReduceSum(hit, axes, true))))
}

// reduce applies a reduction that takes its axes as an attribute (all but ReduceSum do before opset
// 18).
func (g *Graph) reduce(op string, x *Value, axes []int, keepDims bool) *Value {
	g.checkFloat(op, x)
	list := g.axes(op, x, axes)
	shape, trivial := reduced(x.shape, list, keepDims)
	if trivial {
		return g.Reshape(x, shape...)
	}
	return g.add1(op, []*Value{x}, Float32, shape, Attr{"axes", list}, Attr{"keepdims", flag(keepDims)})
}

// ArgMax returns the first index of the largest element along axis, as Int64.
func (g *Graph) ArgMax(x *Value, axis int, keepDims bool) *Value {
	g.checkFloat("ArgMax", x)
	a := g.axis("ArgMax", x, axis)
	shape, _ := reduced(x.shape, []int{a}, keepDims)
	return g.add1("ArgMax", []*Value{x}, Int64, shape, Attr{"axis", a}, Attr{"keepdims", flag(keepDims)}, Attr{"select_last_index", 0})
}

// reduced returns the shape after a reduction and whether all reduced dimensions are 1, so that it
// only reshapes.
func reduced(s Shape, axes []int, keepDims bool) (out Shape, trivial bool) {
	gone := make([]bool, len(s))
	trivial = true
	for _, a := range axes {
		gone[a] = true
		trivial = trivial && s[a] == 1
	}
	out = Shape{}
	for a, d := range s {
		switch {
		case !gone[a]:
			out = append(out, d)
		case keepDims:
			out = append(out, 1)
		}
	}
	return out, trivial
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}
