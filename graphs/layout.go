package graphs

import "slices"

// Operators that move elements: Reshape, Transpose, Expand, Concat, Split, Slice, Pad.

// Reshape returns x with other dimensions, of which one may be −1 for "the rest".
func (g *Graph) Reshape(x *Value, dims ...int) *Value {
	g.check("Reshape", x)
	shape, free, known := Shape(dims).Clone(), -1, 1
	for i, d := range dims {
		switch {
		case d > 0:
			known *= d
		case d == -1 && free < 0:
			free = i
		default:
			g.fail("Reshape", []*Value{x}, "bad dimensions %v", Shape(dims))
		}
	}
	if free >= 0 {
		shape[free] = x.shape.Size() / known
	}
	if shape.Size() != x.shape.Size() {
		g.fail("Reshape", []*Value{x}, "%d elements do not fill %v", x.shape.Size(), Shape(dims))
	}
	for x.node != nil && x.node.op == "Reshape" {
		x = x.node.inputs[0]
	}
	if shape.Equal(x.shape) {
		return x
	}
	return g.add1("Reshape", []*Value{x, g.ints1(shape)}, x.dtype, shape)
}

// reshapeGrad: ∂x = dy in x's shape.
func reshapeGrad(s *step) {
	if dy := s.dy(); dy.shape.Size() == 1 {
		s.give(0, s.Reshape(dy)) // the same everywhere
		return
	}
	s.give(0, s.Reshape(s.fullDy(0), s.in(0).shape...))
}

// Transpose returns x with its axes permuted: axis i of the result is axis perm[i] of x.
func (g *Graph) Transpose(x *Value, perm ...int) *Value {
	g.check("Transpose", x)
	if len(perm) != len(x.shape) {
		g.fail("Transpose", []*Value{x}, "permutation %v has %d axes", perm, len(perm))
	}
	seen := make([]bool, len(perm))
	for _, p := range perm {
		if p < 0 || p >= len(perm) || seen[p] {
			g.fail("Transpose", []*Value{x}, "%v is no permutation", perm)
		}
		seen[p] = true
	}
	perm = slices.Clone(perm)
	if n := x.node; n != nil && n.op == "Transpose" {
		inner := n.Ints("perm")
		for i, p := range perm {
			perm[i] = inner[p]
		}
		x = n.inputs[0]
	}
	if movesNothing(x.shape, perm) {
		return g.Reshape(x, permuted(x.shape, perm)...)
	}
	return g.add1("Transpose", []*Value{x}, x.dtype, permuted(x.shape, perm), Attr{"perm", perm})
}

// transposeGrad: ∂x = dy permuted back.
func transposeGrad(s *step) {
	perm := s.node.Ints("perm")
	inverse := make([]int, len(perm))
	for i, p := range perm {
		inverse[p] = i
	}
	dy := s.dy()
	if dy.shape.Size() == 1 {
		s.give(0, s.Reshape(dy))
		return
	}
	for len(dy.shape) < len(perm) {
		dy = s.Reshape(dy, append([]int{1}, dy.shape...)...)
	}
	s.give(0, s.Transpose(dy, inverse...))
}

// movesNothing reports whether a permutation leaves the order of elements as it is: the axes longer
// than 1 keep their order.
func movesNothing(s Shape, perm []int) bool {
	last := -1
	for _, p := range perm {
		if s[p] == 1 {
			continue
		}
		if p < last {
			return false
		}
		last = p
	}
	return true
}

func permuted(s Shape, perm []int) Shape {
	out := make(Shape, len(s))
	for i, p := range perm {
		out[i] = s[p]
	}
	return out
}

// Expand broadcasts x to the given dimensions.
func (g *Graph) Expand(x *Value, dims ...int) *Value {
	g.check("Expand", x)
	if len(dims) < len(x.shape) {
		g.fail("Expand", []*Value{x}, "cannot become %v", Shape(dims))
	}
	for i, d := range x.shape {
		if o := dims[len(dims)-len(x.shape)+i]; d != o && d != 1 {
			g.fail("Expand", []*Value{x}, "cannot become %v", Shape(dims))
		}
	}
	if x.shape.Equal(dims) {
		return x
	}
	if x.shape.Size() == Shape(dims).Size() {
		return g.Reshape(x, dims...)
	}
	return g.add1("Expand", []*Value{x, g.ints1(dims)}, x.dtype, dims)
}

// expandGrad: ∂x = dy summed over the axes that were expanded.
func expandGrad(s *step) { s.giveSum(0, s.dy) }

// Concat joins values that agree in all dimensions but axis.
func (g *Graph) Concat(axis int, xs ...*Value) *Value {
	if len(xs) == 0 {
		g.fail("Concat", nil, "nothing to join")
	}
	g.check("Concat", xs...)
	a := g.axis("Concat", xs[0], axis)
	shape := xs[0].shape.Clone()
	for _, x := range xs[1:] {
		same := x.dtype == xs[0].dtype && len(x.shape) == len(shape)
		for i := range shape {
			same = same && (i == a || x.shape[i] == shape[i])
		}
		if !same {
			g.fail("Concat", xs, "operands differ off axis %d", axis)
		}
		shape[a] += x.shape[a]
	}
	if len(xs) == 1 {
		return xs[0]
	}
	return g.add1("Concat", slices.Clone(xs), xs[0].dtype, shape, Attr{"axis", a})
}

// concatGrad: every operand gets its piece of dy.
func concatGrad(s *step) {
	axis := s.node.Int("axis")
	sizes, wanted := make([]int, len(s.node.inputs)), 0
	for i, x := range s.node.inputs {
		sizes[i] = x.shape[axis]
		if s.needs(i) {
			wanted++
		}
	}
	dy, start := s.fullDy(0), 0
	for i, n := range sizes {
		if s.needs(i) && wanted > 1 {
			s.give(i, s.Split(dy, axis, sizes...)[i])
		} else if s.needs(i) {
			s.give(i, s.Slice(dy, []int{start}, []int{start + n}, []int{axis}, nil))
		}
		start += n
	}
}

// Split cuts x along axis into pieces of the given sizes, which must add up to the dimension.
func (g *Graph) Split(x *Value, axis int, sizes ...int) []*Value {
	g.check("Split", x)
	a := g.axis("Split", x, axis)
	sum, out := 0, make([]result, len(sizes))
	for i, n := range sizes {
		shape := x.shape.Clone()
		shape[a] = n
		sum += n
		out[i] = result{x.dtype, shape}
		if n <= 0 {
			g.fail("Split", []*Value{x}, "size %d", n)
		}
	}
	if sum != x.shape[a] {
		g.fail("Split", []*Value{x}, "sizes %v do not add up to axis %d", sizes, axis)
	}
	if len(sizes) == 1 {
		return []*Value{x}
	}
	n := g.add("Split", "", []*Value{x, g.ints1(sizes)}, []Attr{{"axis", a}}, len(sizes), out...)
	return slices.Clone(n.outputs)
}

// splitGrad: ∂x = the pieces' cotangents side by side, zero where a piece is not used.
func splitGrad(s *step) {
	parts := make([]*Value, len(s.node.outputs))
	for i, y := range s.node.outputs {
		if parts[i] = s.fullDy(i); parts[i] == nil {
			parts[i] = s.zeros(y.shape)
		}
	}
	s.give(0, s.Concat(s.node.Int("axis"), parts...))
}

// Slice returns the elements starts[i], starts[i]+steps[i], … below ends[i] along axes[i].
// Negative starts and ends count from the end; ends beyond the dimension are limited to it; nil
// axes mean the first ones, nil steps 1. Steps must be positive.
func (g *Graph) Slice(x *Value, starts, ends, axes, steps []int) *Value {
	g.check("Slice", x)
	in := []*Value{x}
	if axes == nil {
		for i := range starts {
			axes = append(axes, i)
		}
	}
	if steps == nil {
		steps = slices.Repeat([]int{1}, len(starts))
	}
	if len(ends) != len(starts) || len(axes) != len(starts) || len(steps) != len(starts) {
		g.fail("Slice", in, "%d starts, %d ends, %d axes, %d steps", len(starts), len(ends), len(axes), len(steps))
	}
	axes, starts, ends = slices.Clone(axes), slices.Clone(starts), slices.Clone(ends)
	shape := x.shape.Clone()
	for i := range axes {
		axes[i] = g.axis("Slice", x, axes[i])
		d := x.shape[axes[i]]
		starts[i], ends[i] = bound(starts[i], d), bound(ends[i], d)
		if steps[i] < 1 || starts[i] >= ends[i] || slices.Contains(axes[:i], axes[i]) {
			g.fail("Slice", in, "bad range %d:%d:%d on axis %d", starts[i], ends[i], steps[i], axes[i])
		}
		shape[axes[i]] = (ends[i] - starts[i] + steps[i] - 1) / steps[i]
	}
	if shape.Equal(x.shape) {
		return x
	}
	in = append(in, g.ints1(starts), g.ints1(ends), g.ints1(axes), g.ints1(steps))
	return g.add1("Slice", in, x.dtype, shape)
}

// sliceGrad: ∂x = dy, spread out by the steps, surrounded by zeros.
func sliceGrad(s *step) {
	x, dy := s.in(0), s.fullDy(0)
	_, starts := s.in(1).Constant()
	_, axes := s.in(3).Constant()
	_, steps := s.in(4).Constant()
	pads := make([]int, 2*len(x.shape))
	for i, a := range axes {
		dy = s.spread(dy, int(a), int(steps[i]))
		pads[a] = int(starts[i])
		pads[len(x.shape)+int(a)] = x.shape[a] - int(starts[i]) - dy.shape[a]
	}
	s.give(0, s.Pad(dy, pads, 0))
}

// spread inserts step − 1 zeros after every element of x along axis, but not after the last.
func (g *Graph) spread(x *Value, axis, step int) *Value {
	n := x.shape[axis]
	if step == 1 || n == 1 {
		return x
	}
	cells := slices.Insert(x.shape.Clone(), axis+1, 1)
	pads := make([]int, 2*len(cells))
	pads[len(cells)+axis+1] = step - 1
	wide := x.shape.Clone()
	wide[axis] = n * step
	y := g.Reshape(g.Pad(g.Reshape(x, cells...), pads, 0), wide...)
	return g.Slice(y, []int{0}, []int{n*step - step + 1}, []int{axis}, nil)
}

// bound counts i from the end when negative and limits it to [0, d].
func bound(i, d int) int {
	if i < 0 {
		i += d
	}
	return min(max(i, 0), d)
}

// Pad surrounds x with value. pads holds, in ONNX order, the counts before every axis and then
// those after every axis; negative counts crop.
func (g *Graph) Pad(x *Value, pads []int, value float32) *Value {
	g.checkFloat("Pad", x)
	rank := len(x.shape)
	if len(pads) != 2*rank {
		g.fail("Pad", []*Value{x}, "%d pads, want %d", len(pads), 2*rank)
	}
	shape := x.shape.Clone()
	same := true
	for i := range shape {
		shape[i] += pads[i] + pads[rank+i]
		same = same && pads[i] == 0 && pads[rank+i] == 0
		if shape[i] <= 0 {
			g.fail("Pad", []*Value{x}, "pads %v leave nothing of axis %d", pads, i)
		}
	}
	if same {
		return x
	}
	return g.add1("Pad", []*Value{x, g.ints1(pads), g.Scalar(value)}, Float32, shape, Attr{"mode", "constant"})
}

// padGrad: ∂x = dy without the padding, zero where x was cropped.
func padGrad(s *step) {
	_, list := s.in(1).Constant()
	rank := len(s.out().shape)
	dy, back := s.fullDy(0), make([]int, 2*rank)
	var starts, ends, axes []int
	for a := range rank {
		before, after := int(list[a]), int(list[rank+a])
		back[a], back[rank+a] = max(-before, 0), max(-after, 0)
		axes = append(axes, a)
		starts = append(starts, max(before, 0))
		ends = append(ends, dy.shape[a]-max(after, 0))
	}
	s.give(0, s.Pad(s.Slice(dy, starts, ends, axes, nil), back, 0))
}
