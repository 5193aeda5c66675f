package graphs_test

import "t2sda/graphs"

func reduceRows() (rows []row) {
	type reduction = func(g *graphs.Graph, x *graphs.Value, axes []int, keepDims bool) *graphs.Value
	for _, op := range []struct {
		name string
		f    reduction
		x    arg
	}{
		{"ReduceSum", (*graphs.Graph).ReduceSum, f(2, 3, 4)},
		{"ReduceMean", (*graphs.Graph).ReduceMean, f(2, 3, 4)},
		{"ReduceMax", (*graphs.Graph).ReduceMax, apart(0, 2, 3, 4)},
	} {
		for _, v := range []struct {
			variant string
			axes    []int
			keep    bool
		}{
			{"all", nil, false},
			{"all kept", nil, true},
			{"last", []int{-1}, false},
			{"first kept", []int{0}, true},
			{"outer", []int{2, 0}, false},
			{"middle", []int{1}, false},
		} {
			rows = append(rows, row{op: op.name, variant: v.variant, args: []arg{op.x}, build: func(g *graphs.Graph, x []*graphs.Value) *graphs.Value {
				return op.f(g, x[0], v.axes, v.keep)
			}})
		}
	}
	argMax := func(axis int, keep bool) builder {
		return func(g *graphs.Graph, v []*graphs.Value) *graphs.Value { return g.ArgMax(v[0], axis, keep) }
	}
	return append(rows,
		row{op: "ArgMax", variant: "channels", args: []arg{f(2, 5, 3)}, build: argMax(1, false)},
		row{op: "ArgMax", variant: "last kept", args: []arg{f(2, 5)}, build: argMax(-1, true)},
		row{op: "ArgMax", variant: "ties", args: []arg{in(0, 0.001, 3, 6)}, build: func(g *graphs.Graph, v []*graphs.Value) *graphs.Value {
			return g.ArgMax(g.Floor(v[0]), 1, false)
		}},
	)
}
