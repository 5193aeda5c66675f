package cases

import "t2sda/graphs"

func layoutCases() []Case {
	reshape := func(dims ...int) builder {
		return func(g *graphs.Graph, v []*graphs.Value) *graphs.Value { return g.Reshape(v[0], dims...) }
	}
	transpose := func(perm ...int) builder {
		return func(g *graphs.Graph, v []*graphs.Value) *graphs.Value { return g.Transpose(v[0], perm...) }
	}
	expand := func(dims ...int) builder {
		return func(g *graphs.Graph, v []*graphs.Value) *graphs.Value { return g.Expand(v[0], dims...) }
	}
	concat := func(axis int) builder {
		return func(g *graphs.Graph, v []*graphs.Value) *graphs.Value { return g.Concat(axis, v...) }
	}
	slice := func(starts, ends, axes, steps []int) builder {
		return func(g *graphs.Graph, v []*graphs.Value) *graphs.Value {
			return g.Slice(v[0], starts, ends, axes, steps)
		}
	}
	pad := func(value float32, pads ...int) builder {
		return func(g *graphs.Graph, v []*graphs.Value) *graphs.Value { return g.Pad(v[0], pads, value) }
	}
	return []Case{
		{Op: "Reshape", Variant: "free", Args: []Arg{f(2, 3, 4)}, Build: reshape(4, -1)},
		{Op: "Reshape", Variant: "to scalar", Args: []Arg{f(1, 1)}, Build: reshape()},
		{Op: "Transpose", Variant: "matrix", Args: []Arg{f(3, 4)}, Build: transpose(1, 0)},
		{Op: "Transpose", Variant: "cycle", Args: []Arg{f(2, 3, 4)}, Build: transpose(2, 0, 1)},
		{Op: "Transpose", Variant: "maps to tokens", Args: []Arg{f(2, 3, 2, 2)}, Build: transpose(0, 2, 3, 1)},
		{Op: "Expand", Variant: "new axis", Args: []Arg{f(3, 1)}, Build: expand(2, 3, 4)},
		{Op: "Expand", Variant: "scalar", Args: []Arg{f()}, Build: expand(2, 3)},
		{Op: "Concat", Variant: "two", Args: []Arg{f(2, 3), f(2, 4)}, Build: concat(1)},
		{Op: "Concat", Variant: "three, negative axis", Args: []Arg{f(2, 1, 3), f(2, 2, 3), f(2, 4, 3)}, Build: concat(-2)},
		{Op: "Concat", Variant: "the same twice", Args: []Arg{f(2, 3)}, Build: func(g *graphs.Graph, v []*graphs.Value) *graphs.Value {
			return g.Concat(0, v[0], v[0])
		}},
		{Op: "Concat", Variant: "one varies", Args: []Arg{f(2, 3)}, Build: func(g *graphs.Graph, v []*graphs.Value) *graphs.Value {
			return g.Concat(1, g.Floats([]float32{1, 2, 3, 4}, 2, 2), v[0])
		}},
		{Op: "Split", Variant: "all used", Args: []Arg{f(2, 6)}, Build: func(g *graphs.Graph, v []*graphs.Value) *graphs.Value {
			p := g.Split(v[0], -1, 1, 3, 2)
			return g.Mul(g.Mul(p[0], p[1]), g.ReduceSum(p[2], []int{1}, true))
		}},
		{Op: "Split", Variant: "one unused", Args: []Arg{f(6, 2)}, Build: func(g *graphs.Graph, v []*graphs.Value) *graphs.Value {
			p := g.Split(v[0], 0, 2, 2, 2)
			return g.Mul(p[0], p[2])
		}},
		{Op: "Slice", Variant: "window", Args: []Arg{f(4, 5)}, Build: slice([]int{1, 0}, []int{3, 4}, nil, nil)},
		{Op: "Slice", Variant: "negative", Args: []Arg{f(4, 5)}, Build: slice([]int{-3}, []int{100}, []int{-1}, nil)},
		{Op: "Slice", Variant: "steps", Args: []Arg{f(2, 7, 8)}, Build: slice([]int{1, 0}, []int{7, 8}, []int{1, 2}, []int{2, 3})},
		{Op: "Slice", Variant: "one of many", Args: []Arg{f(5, 3)}, Build: slice([]int{2}, []int{3}, []int{0}, []int{4})},
		{Op: "Pad", Variant: "around", Args: []Arg{f(2, 3)}, Build: pad(0.5, 1, 0, 2, 3)},
		{Op: "Pad", Variant: "crop", Args: []Arg{f(4, 5)}, Build: pad(0, -1, 2, 0, -2)},
	}
}
