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

// ReduceMean returns the mean over axes.
func (g *Graph) ReduceMean(x *Value, axes []int, keepDims bool) *Value {
	return g.reduce("ReduceMean", x, axes, keepDims)
}

// ReduceMax returns the largest element over axes. Equal largest elements share the cotangent in equal parts.
func (g *Graph) ReduceMax(x *Value, axes []int, keepDims bool) *Value {
	return g.reduce("ReduceMax", x, axes, keepDims)
}

// reduce applies a reduction that takes its axes as an attribute (all but ReduceSum do before opset 18).
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

// reduced returns the shape after a reduction and whether all reduced dimensions are 1, so that it only reshapes.
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
