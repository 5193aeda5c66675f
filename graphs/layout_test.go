package graphs_test

import "t2sda/graphs"

type builder = func(g *graphs.Graph, v []*graphs.Value) *graphs.Value

func layoutRows() []row {
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
	return []row{
		{op: "Reshape", variant: "free", args: []arg{f(2, 3, 4)}, build: reshape(4, -1)},
		{op: "Reshape", variant: "to scalar", args: []arg{f(1, 1)}, build: reshape()},
		{op: "Transpose", variant: "matrix", args: []arg{f(3, 4)}, build: transpose(1, 0)},
		{op: "Transpose", variant: "cycle", args: []arg{f(2, 3, 4)}, build: transpose(2, 0, 1)},
		{op: "Transpose", variant: "maps to tokens", args: []arg{f(2, 3, 2, 2)}, build: transpose(0, 2, 3, 1)},
		{op: "Expand", variant: "new axis", args: []arg{f(3, 1)}, build: expand(2, 3, 4)},
		{op: "Expand", variant: "scalar", args: []arg{f()}, build: expand(2, 3)},
		{op: "Concat", variant: "two", args: []arg{f(2, 3), f(2, 4)}, build: concat(1)},
		{op: "Concat", variant: "three, negative axis", args: []arg{f(2, 1, 3), f(2, 2, 3), f(2, 4, 3)}, build: concat(-2)},
		{op: "Concat", variant: "the same twice", args: []arg{f(2, 3)}, build: func(g *graphs.Graph, v []*graphs.Value) *graphs.Value {
			return g.Concat(0, v[0], v[0])
		}},
		{op: "Concat", variant: "one varies", args: []arg{f(2, 3)}, build: func(g *graphs.Graph, v []*graphs.Value) *graphs.Value {
			return g.Concat(1, g.Floats([]float32{1, 2, 3, 4}, 2, 2), v[0])
		}},
		{op: "Split", variant: "all used", args: []arg{f(2, 6)}, build: func(g *graphs.Graph, v []*graphs.Value) *graphs.Value {
			p := g.Split(v[0], -1, 1, 3, 2)
			return g.Mul(g.Mul(p[0], p[1]), g.ReduceSum(p[2], []int{1}, true))
		}},
		{op: "Split", variant: "one unused", args: []arg{f(6, 2)}, build: func(g *graphs.Graph, v []*graphs.Value) *graphs.Value {
			p := g.Split(v[0], 0, 2, 2, 2)
			return g.Mul(p[0], p[2])
		}},
		{op: "Slice", variant: "window", args: []arg{f(4, 5)}, build: slice([]int{1, 0}, []int{3, 4}, nil, nil)},
		{op: "Slice", variant: "negative", args: []arg{f(4, 5)}, build: slice([]int{-3}, []int{100}, []int{-1}, nil)},
		{op: "Slice", variant: "steps", args: []arg{f(2, 7, 8)}, build: slice([]int{1, 0}, []int{7, 8}, []int{1, 2}, []int{2, 3})},
		{op: "Slice", variant: "one of many", args: []arg{f(5, 3)}, build: slice([]int{2}, []int{3}, []int{0}, []int{4})},
		{op: "Pad", variant: "around", args: []arg{f(2, 3)}, build: pad(0.5, 1, 0, 2, 3)},
		{op: "Pad", variant: "crop", args: []arg{f(4, 5)}, build: pad(0, -1, 2, 0, -2)},
	}
}
