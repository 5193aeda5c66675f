package graphs

import "slices"

// Indexed reads and writes: Gather, GatherElements, ScatterElements, ScatterND, OneHot.

// Gather replaces axis of x by the indices idx (any shape): for axis 0, out[i…, …] = x[idx[i…], …].
func (g *Graph) Gather(x, idx *Value, axis int) *Value {
	g.checkIndex("Gather", x, idx)
	a := g.axis("Gather", x, axis)
	shape := slices.Concat(x.shape[:a], idx.shape, x.shape[a+1:])
	return g.add1("Gather", []*Value{x, idx}, x.dtype, shape, Attr{"axis", a})
}

// gatherGrad: ∂x[idx[i]] += dy[i]. Indices repeat, so that ScatterND is not for this, see there.
func gatherGrad(s *step) {
	x, idx, axis := s.in(0), s.in(1), s.node.Int("axis")
	shape := x.shape.Clone()
	shape[axis] = idx.shape.Size()
	along := make(Shape, len(shape)) // idx at its axis, the same everywhere else
	for i := range along {
		along[i] = 1
	}
	along[axis] = shape[axis]
	everywhere := s.Expand(s.Reshape(s.Cast(idx, Int64), along...), shape...)
	s.give(0, s.ScatterElements(s.zeros(x.shape), everywhere, s.Reshape(s.fullDy(0), shape...), axis, "add"))
}

// GatherElements returns out[i][j][k] = x[idx[i][j][k]][j][k] for axis 0, and so on for other axes.
// Off axis, idx must not exceed x.
func (g *Graph) GatherElements(x, idx *Value, axis int) *Value {
	g.checkIndex("GatherElements", x, idx)
	a := g.elementsAxis("GatherElements", x, idx, axis)
	return g.add1("GatherElements", []*Value{x, idx}, x.dtype, idx.shape, Attr{"axis", a})
}

// gatherElementsGrad: ∂x[idx[i][j]][j] += dy[i][j].
func gatherElementsGrad(s *step) {
	s.give(0, s.ScatterElements(s.zeros(s.in(0).shape), s.in(1), s.fullDy(0), s.node.Int("axis"), "add"))
}

// ScatterElements returns data with data[idx[i][j]][j] = upd[i][j] for axis 0, and so on for other
// axes; reduction is "none" (indices must then be unique) or "add".
func (g *Graph) ScatterElements(data, idx, upd *Value, axis int, reduction string) *Value {
	g.checkIndex("ScatterElements", data, idx)
	g.check("ScatterElements", upd)
	in := []*Value{data, idx, upd}
	a := g.elementsAxis("ScatterElements", data, idx, axis)
	if !upd.shape.Equal(idx.shape) || upd.dtype != data.dtype {
		g.fail("ScatterElements", in, "updates must have the indices' shape and the data's type")
	}
	g.checkReduction("ScatterElements", reduction, in)
	return g.add1("ScatterElements", in, data.dtype, data.shape, Attr{"axis", a}, Attr{"reduction", reduction})
}

// scatterElementsGrad: ∂upd = dy[idx]; ∂data = dy, zero where elements were replaced.
func scatterElementsGrad(s *step) {
	idx, dy, axis := s.in(1), s.fullDy(0), s.node.Int("axis")
	if s.needs(2) {
		s.give(2, s.GatherElements(dy, idx, axis))
	}
	switch {
	case !s.needs(0):
	case s.node.Text("reduction") == "add":
		s.give(0, dy)
	default:
		s.give(0, s.ScatterElements(dy, idx, s.zeros(idx.shape), axis, "none"))
	}
}

// ScatterND returns data with the slices data[idx[i…]] set to upd[i…] or, with reduction "add",
// increased by it; idx [..,k] holds indices into the first k axes, which must be unique: ONNX Runtime's
// CPU provider (1.27) adds from several threads at once, and loses what two of them add to one place.
// [Graph.ScatterElements] adds all.
func (g *Graph) ScatterND(data, idx, upd *Value, reduction string) *Value {
	g.checkIndex("ScatterND", data, idx)
	g.check("ScatterND", upd)
	in := []*Value{data, idx, upd}
	if idx.dtype != Int64 {
		g.fail("ScatterND", in, "indices must be int64")
	}
	if len(idx.shape) == 0 || idx.Dim(-1) > len(data.shape) {
		g.fail("ScatterND", in, "index tuples do not fit the data's rank")
	}
	want := slices.Concat(idx.shape[:len(idx.shape)-1], data.shape[idx.Dim(-1):])
	if !upd.shape.Equal(want) || upd.dtype != data.dtype {
		g.fail("ScatterND", in, "updates must be %v of the data's type", want)
	}
	g.checkReduction("ScatterND", reduction, in)
	return g.add1("ScatterND", in, data.dtype, data.shape, Attr{"reduction", reduction})
}

// OneHot returns float32 with a new axis of length depth that holds 1 at the index and 0 elsewhere;
// an index out of range gives zeros only. Negative indices count from the end.
func (g *Graph) OneHot(idx *Value, depth, axis int) *Value {
	g.check("OneHot", idx)
	in := []*Value{idx}
	if idx.dtype != Int64 {
		g.fail("OneHot", in, "indices are %s, want int64", idx.dtype)
	}
	rank := len(idx.shape) + 1
	if axis < 0 {
		axis += rank
	}
	if depth < 1 || axis < 0 || axis >= rank {
		g.fail("OneHot", in, "depth %d on axis %d", depth, axis)
	}
	shape := slices.Insert(idx.shape.Clone(), axis, depth)
	in = append(in, g.Ints([]int64{int64(depth)}), g.Floats([]float32{0, 1}, 2))
	return g.add1("OneHot", in, Float32, shape, Attr{"axis", axis})
}

func (g *Graph) checkIndex(op string, x, idx *Value) {
	g.check(op, x, idx)
	if idx.dtype != Int64 && idx.dtype != Int32 {
		g.fail(op, []*Value{x, idx}, "indices are %s, want int64 or int32", idx.dtype)
	}
}

// elementsAxis checks the shapes of GatherElements and ScatterElements.
func (g *Graph) elementsAxis(op string, x, idx *Value, axis int) int {
	a := g.axis(op, x, axis)
	fits := len(x.shape) == len(idx.shape)
	for i := range idx.shape {
		fits = fits && (i == a || idx.shape[i] <= x.shape[i])
	}
	if !fits {
		g.fail(op, []*Value{x, idx}, "indices exceed the data off axis %d", axis)
	}
	return a
}

func (g *Graph) checkReduction(op, reduction string, in []*Value) {
	if reduction != "none" && reduction != "add" {
		g.fail(op, in, "unknown reduction %q", reduction)
	}
	if reduction == "add" && in[0].dtype != Float32 {
		g.fail(op, in, "reduction add needs float32")
	}
}
