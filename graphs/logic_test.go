package graphs_test

import "t2sda/graphs"

func logicRows() (rows []row) {
	for _, op := range []struct {
		name string
		f    func(g *graphs.Graph, a, b *graphs.Value) *graphs.Value
	}{{"Equal", (*graphs.Graph).Equal}, {"Greater", (*graphs.Graph).Greater}, {"Less", (*graphs.Graph).Less}} {
		build := func(g *graphs.Graph, v []*graphs.Value) *graphs.Value { return op.f(g, v[0], v[1]) }
		rows = append(rows,
			row{op: op.name, variant: "floats", args: []arg{f(3, 4), f(4)}, build: build},
			row{op: op.name, variant: "indices", args: []arg{index(graphs.Int64, 0, 3, 3, 4), index(graphs.Int64, 0, 3, 3, 1)}, build: build},
			row{op: op.name, variant: "int32", args: []arg{index(graphs.Int32, 0, 3, 7), index(graphs.Int32, 0, 3, 7)}, build: build})
	}
	where := func(g *graphs.Graph, v []*graphs.Value) *graphs.Value { return g.Where(v[0], v[1], v[2]) }
	cast := func(dt graphs.DType) func(g *graphs.Graph, v []*graphs.Value) *graphs.Value {
		return func(g *graphs.Graph, v []*graphs.Value) *graphs.Value { return g.Cast(v[0], dt) }
	}
	return append(rows,
		row{op: "Not", variant: "mask", args: []arg{mask(3, 4)}, build: func(g *graphs.Graph, v []*graphs.Value) *graphs.Value { return g.Not(v[0]) }},
		row{op: "Where", variant: "equal", args: []arg{mask(3, 4), f(3, 4), f(3, 4)}, build: where},
		row{op: "Where", variant: "broadcast", args: []arg{mask(3, 1), f(2, 1, 4), f()}, build: where},
		row{op: "Cast", variant: "float to int64", args: []arg{in(-3, 3, 6)}, build: cast(graphs.Int64)},
		row{op: "Cast", variant: "float to bool", args: []arg{in(1, 3, 6)}, build: cast(graphs.Bool)},
		row{op: "Cast", variant: "mask to float", args: []arg{mask(6)}, build: cast(graphs.Float32)},
		row{op: "Cast", variant: "uint8 to float", args: []arg{index(graphs.Uint8, 0, 256, 6)}, build: cast(graphs.Float32)},
		row{op: "Cast", variant: "int32 to int64", args: []arg{index(graphs.Int32, -9, 9, 6)}, build: cast(graphs.Int64)},
	)
}
