package cases

import "t2sda/graphs"

func reduceCases() (cases []Case) {
	type reduction = func(g *graphs.Graph, x *graphs.Value, axes []int, keepDims bool) *graphs.Value
	for _, op := range []struct {
		name string
		f    reduction
		x    Arg
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
			cases = append(cases, Case{Op: op.name, Variant: v.variant, Args: []Arg{op.x}, Build: func(g *graphs.Graph, x []*graphs.Value) *graphs.Value {
				return op.f(g, x[0], v.axes, v.keep)
			}})
		}
	}
	argMax := func(axis int, keep bool) builder {
		return func(g *graphs.Graph, v []*graphs.Value) *graphs.Value { return g.ArgMax(v[0], axis, keep) }
	}
	return append(cases,
		Case{Op: "ArgMax", Variant: "channels", Args: []Arg{f(2, 5, 3)}, Build: argMax(1, false)},
		Case{Op: "ArgMax", Variant: "last kept", Args: []Arg{f(2, 5)}, Build: argMax(-1, true)},
		Case{Op: "ArgMax", Variant: "ties", Args: []Arg{in(0, 0.001, 3, 6)}, Build: func(g *graphs.Graph, v []*graphs.Value) *graphs.Value {
			return g.ArgMax(g.Floor(v[0]), 1, false)
		}},
	)
}
