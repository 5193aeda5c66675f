package cases

import "t2sda/graphs"

func logicCases() (cases []Case) {
	for _, op := range []struct {
		name string
		f    func(g *graphs.Graph, a, b *graphs.Value) *graphs.Value
	}{{"Equal", (*graphs.Graph).Equal}, {"Greater", (*graphs.Graph).Greater}, {"Less", (*graphs.Graph).Less}} {
		build := func(g *graphs.Graph, v []*graphs.Value) *graphs.Value { return op.f(g, v[0], v[1]) }
		cases = append(cases,
			Case{Op: op.name, Variant: "floats", Args: []Arg{f(3, 4), f(4)}, Build: build},
			Case{Op: op.name, Variant: "indices", Args: []Arg{index(graphs.Int64, 0, 3, 3, 4), index(graphs.Int64, 0, 3, 3, 1)}, Build: build},
			Case{Op: op.name, Variant: "int32", Args: []Arg{index(graphs.Int32, 0, 3, 7), index(graphs.Int32, 0, 3, 7)}, Build: build})
	}
	where := func(g *graphs.Graph, v []*graphs.Value) *graphs.Value { return g.Where(v[0], v[1], v[2]) }
	cast := func(dt graphs.DType) func(g *graphs.Graph, v []*graphs.Value) *graphs.Value {
		return func(g *graphs.Graph, v []*graphs.Value) *graphs.Value { return g.Cast(v[0], dt) }
	}
	return append(cases,
		Case{Op: "Not", Variant: "mask", Args: []Arg{mask(3, 4)}, Build: func(g *graphs.Graph, v []*graphs.Value) *graphs.Value { return g.Not(v[0]) }},
		Case{Op: "Where", Variant: "equal", Args: []Arg{mask(3, 4), f(3, 4), f(3, 4)}, Build: where},
		Case{Op: "Where", Variant: "broadcast", Args: []Arg{mask(3, 1), f(2, 1, 4), f()}, Build: where},
		Case{Op: "Cast", Variant: "float to int64", Args: []Arg{in(-3, 3, 6)}, Build: cast(graphs.Int64)},
		Case{Op: "Cast", Variant: "float to bool", Args: []Arg{in(1, 3, 6)}, Build: cast(graphs.Bool)},
		Case{Op: "Cast", Variant: "detached", Args: []Arg{in(-3, 3, 6)}, Build: func(g *graphs.Graph, v []*graphs.Value) *graphs.Value { return g.Detach(v[0]) }},
		Case{Op: "Cast", Variant: "mask to float", Args: []Arg{mask(6)}, Build: cast(graphs.Float32)},
		Case{Op: "Cast", Variant: "uint8 to float", Args: []Arg{index(graphs.Uint8, 0, 256, 6)}, Build: cast(graphs.Float32)},
		Case{Op: "Cast", Variant: "int32 to int64", Args: []Arg{index(graphs.Int32, -9, 9, 6)}, Build: cast(graphs.Int64)},
	)
}
