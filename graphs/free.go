package graphs

import "slices"

// Free sizes. A graph whose image may have any size is built for one example of it: shapes, and
// with them every check, are the example's. What operators need to know of a size is a [Size]
// then: a number in graphs of fixed shapes, and in others a value that nodes compute of the image
// at every run. So the same code builds both.
//
// Whether a number of the example has slipped in shows when a graph is built for two examples: the
// marshalled models must be the same, byte by byte.

// Size is a dimension.
type Size struct {
	n  int
	at *Value // int64 [1]; nil where it is n for every image
}

// Fixed is a dimension that no image changes.
func Fixed(n int) Size { return Size{n: n} }

// Int returns the dimension, of a free one the example's.
func (s Size) Int() int { return s.n }

// IsFixed reports whether the dimension is the same for every image.
func (s Size) IsFixed() bool { return s.at == nil }

// Same reports whether s and t are equal for every image, as far as that is known: free ones never
// are.
func (s Size) Same(t Size) bool { return s.IsFixed() && t.IsFixed() && s.n == t.n }

// Plus returns s + t.
func (s Size) Plus(t Size) Size { return s.with("Add", t, s.n+t.n) }

// Minus returns s − t.
func (s Size) Minus(t Size) Size { return s.with("Sub", t, s.n-t.n) }

// Times returns s · t.
func (s Size) Times(t Size) Size { return s.with("Mul", t, s.n*t.n) }

// Over returns s / t rounded down; both are positive.
func (s Size) Over(t Size) Size { return s.with("Div", t, s.n/t.n) }

// AtLeast returns the larger one of s and t.
func (s Size) AtLeast(t Size) Size { return s.with("Max", t, max(s.n, t.n)) }

// with applies an operator, whose result for the example is n.
func (s Size) with(op string, t Size, n int) Size {
	free := s.at
	if free == nil {
		free = t.at
	}
	if free == nil {
		return Fixed(n)
	}
	g := free.g
	return Size{n, g.binary(op, g.sizes(s), g.sizes(t))}
}

// Free gives axes of v, an input or an output, no fixed size but a name (empty: it is fixed). An
// image's comes before all else that is built of it.
func (g *Graph) Free(v *Value, axes ...string) {
	g.check("Free", v)
	if len(axes) != len(v.shape) {
		g.fail("Free", []*Value{v}, "%d names for %d axes", len(axes), len(v.shape))
	}
	v.free = slices.Clone(axes)
	g.free = true
}

// SizeOf returns a dimension of x: in a graph with free sizes always a free one, so it is for axes
// that may be.
func (g *Graph) SizeOf(x *Value, axis int) Size {
	g.check("SizeOf", x)
	a := g.axis("SizeOf", x, axis)
	if !g.free {
		return Fixed(x.shape[a])
	}
	return Size{x.shape[a], g.shapeOf(x, a, a+1)}
}

// shapeOf returns the dimensions of x from start up to end, int64 [end − start].
func (g *Graph) shapeOf(x *Value, start, end int) *Value {
	return g.add1("Shape", []*Value{x}, Int64, Shape{end - start}, Attr{"start", start}, Attr{"end", end})
}

// sizes returns the dimensions as int64 [n], a constant where all are fixed.
func (g *Graph) sizes(dims ...Size) *Value {
	var parts []*Value
	var fixed []int
	flush := func() {
		if len(fixed) > 0 {
			parts, fixed = append(parts, g.ints1(fixed)), nil
		}
	}
	for _, d := range dims {
		if d.at == nil {
			fixed = append(fixed, d.n)
			continue
		}
		flush()
		parts = append(parts, d.at)
	}
	flush()
	return g.Concat(0, parts...)
}

// example returns the dimensions as numbers, and whether one is free.
func example(dims []Size) (s Shape, free bool) {
	for _, d := range dims {
		s = append(s, d.n)
		free = free || d.at != nil
	}
	return s, free
}

// ReshapeTo is [Graph.Reshape] to dimensions of which some may be free.
func (g *Graph) ReshapeTo(x *Value, dims ...Size) *Value {
	shape, free := example(dims)
	if !free {
		return g.Reshape(x, shape...)
	}
	g.check("Reshape", x)
	if shape.Size() != x.shape.Size() {
		g.fail("Reshape", []*Value{x}, "%d elements do not fill %v", x.shape.Size(), shape)
	}
	for x.node != nil && x.node.op == "Reshape" {
		x = x.node.inputs[0]
	}
	dims = slices.Clone(dims)
	for i := range slices.Backward(dims) {
		if dims[i].at != nil {
			dims[i] = Fixed(-1) // "the rest", which needs no node
			break
		}
	}
	return g.add1("Reshape", []*Value{x, g.sizes(dims...)}, x.dtype, shape)
}

// ResizeTo is [Graph.Resize] to a size that may be free. Where the example has that size already,
// x is meant to have it always: examples must be so large that maps of different strides differ.
func (g *Graph) ResizeTo(x *Value, h, w Size, mode string) *Value {
	y := g.Resize(x, h.n, w.n, mode)
	if y == x || h.at == nil && w.at == nil {
		return y
	}
	sizes := g.Concat(0, g.shapeOf(x, 0, 2), g.sizes(h, w))
	return g.add1("Resize", []*Value{x, nil, nil, sizes}, Float32, y.shape, y.node.attrs...)
}

// SliceTo is [Graph.Slice] from starts, not negative, up to ends that may be free.
func (g *Graph) SliceTo(x *Value, starts []int, ends []Size, axes []int) *Value {
	last, free := example(ends)
	if !free {
		return g.Slice(x, starts, last, axes, nil)
	}
	g.check("Slice", x)
	if len(ends) != len(starts) || len(axes) != len(starts) {
		g.fail("Slice", []*Value{x}, "%d starts, %d ends, %d axes", len(starts), len(ends), len(axes))
	}
	shape := x.shape.Clone()
	for i, a := range axes {
		if starts[i] < 0 || starts[i] >= last[i] || last[i] > shape[a] {
			g.fail("Slice", []*Value{x}, "bad range %d:%d on axis %d", starts[i], last[i], a)
		}
		shape[a] = last[i] - starts[i]
	}
	in := []*Value{x, g.ints1(starts), g.sizes(ends...), g.ints1(axes)}
	return g.add1("Slice", in, x.dtype, shape)
}

// ExpandTo is [Graph.Expand] to dimensions of which some may be free.
func (g *Graph) ExpandTo(x *Value, dims ...Size) *Value {
	shape, free := example(dims)
	if !free {
		return g.Expand(x, shape...)
	}
	if !g.broadcast("Expand", x, &Value{g: g, shape: shape}).Equal(shape) {
		g.fail("Expand", []*Value{x}, "cannot become %v", shape)
	}
	return g.add1("Expand", []*Value{x, g.sizes(dims...)}, x.dtype, shape)
}

// Continue repeats the last row and the last column of the maps x [N,C,H,W] until they have h rows
// and w columns, which must not be fewer. It is for graphs with free sizes only.
func (g *Graph) Continue(x *Value, h, w Size) *Value {
	g.checkFloat("Pad", x)
	g.checkRank("Pad", x, 4, x)
	below, right := h.Minus(g.SizeOf(x, 2)), w.Minus(g.SizeOf(x, 3))
	if !g.free || below.n < 0 || right.n < 0 {
		g.fail("Pad", []*Value{x}, "cannot be continued to %d×%d", h.n, w.n)
	}
	none := Fixed(0)
	pads := g.sizes(none, none, none, none, none, none, below, right)
	return g.add1("Pad", []*Value{x, pads}, Float32, Shape{x.shape[0], x.shape[1], h.n, w.n}, Attr{"mode", "edge"})
}

// Number returns a size as a float32 [1].
func (g *Graph) Number(s Size) *Value { return g.Cast(g.sizes(s), Float32) }

// Range returns 0, 1, … n − 1 as a float32 [n].
func (g *Graph) Range(n Size) *Value {
	end := g.Reshape(g.sizes(n))
	numbers := g.add1("Range", []*Value{g.Ints([]int64{0}), end, g.Ints([]int64{1})}, Int64, Shape{n.n})
	return g.Cast(numbers, Float32)
}

// sameUpper returns TensorFlow's SAME for a kernel k×k over the map x: along each axis as much as
// ⌈size/stride⌉ windows need, the odd one of it at the end.
func (a ConvAttrs) sameUpper(x Shape, k Shape) [4]int {
	var pads [4]int
	for i := range 2 {
		size, stride, span := x[2+i], a.Strides[i], a.Dilations[i]*(k[2+i]-1)+1
		windows := (size + stride - 1) / stride
		total := max((windows-1)*stride+span-size, 0)
		pads[i], pads[i+2] = total/2, total-total/2
	}
	return pads
}
