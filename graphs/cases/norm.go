package cases

import "t2sda/graphs"

func normCases() []Case {
	norm := func(g *graphs.Graph, v []*graphs.Value) *graphs.Value {
		return g.LayerNormalization(v[0], v[1], v[2], 1e-5)
	}
	softmax := func(axis int) builder {
		return func(g *graphs.Graph, v []*graphs.Value) *graphs.Value { return g.Softmax(v[0], axis) }
	}
	logSoftmax := func(axis int) builder {
		return func(g *graphs.Graph, v []*graphs.Value) *graphs.Value { return g.LogSoftmax(v[0], axis) }
	}
	return []Case{
		{Op: "LayerNormalization", Variant: "tokens", Args: []Arg{f(2, 3, 8), f(8), f(8)}, Build: norm, Tol: 1e-5},
		{Op: "LayerNormalization", Variant: "matrix", Args: []Arg{in(3, 5, 4, 6), f(6), f(6)}, Build: norm, Tol: 1e-5},
		{Op: "LayerNormalization", Variant: "vector", Args: []Arg{f(8), f(8), f(8)}, Build: norm, Tol: 1e-5},
		{Op: "Softmax", Variant: "last", Args: []Arg{in(-2, 2, 2, 3, 5)}, Build: softmax(-1)},
		{Op: "Softmax", Variant: "channels", Args: []Arg{in(-2, 2, 2, 3, 5)}, Build: softmax(1)},
		{Op: "LogSoftmax", Variant: "last", Args: []Arg{in(-2, 2, 2, 5)}, Build: logSoftmax(1)},
		{Op: "LogSoftmax", Variant: "channels", Args: []Arg{in(-2, 2, 2, 3, 2, 2)}, Build: logSoftmax(-3)},
	}
}
