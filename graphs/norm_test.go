package graphs_test

import "t2sda/graphs"

func normRows() []row {
	norm := func(g *graphs.Graph, v []*graphs.Value) *graphs.Value {
		return g.LayerNormalization(v[0], v[1], v[2], 1e-5)
	}
	softmax := func(axis int) builder {
		return func(g *graphs.Graph, v []*graphs.Value) *graphs.Value { return g.Softmax(v[0], axis) }
	}
	logSoftmax := func(axis int) builder {
		return func(g *graphs.Graph, v []*graphs.Value) *graphs.Value { return g.LogSoftmax(v[0], axis) }
	}
	return []row{
		{op: "LayerNormalization", variant: "tokens", args: []arg{f(2, 3, 8), f(8), f(8)}, build: norm, tol: 1e-5},
		{op: "LayerNormalization", variant: "matrix", args: []arg{in(3, 5, 4, 6), f(6), f(6)}, build: norm, tol: 1e-5},
		{op: "LayerNormalization", variant: "vector", args: []arg{f(8), f(8), f(8)}, build: norm, tol: 1e-5},
		{op: "Softmax", variant: "last", args: []arg{in(-2, 2, 2, 3, 5)}, build: softmax(-1)},
		{op: "Softmax", variant: "channels", args: []arg{in(-2, 2, 2, 3, 5)}, build: softmax(1)},
		{op: "LogSoftmax", variant: "last", args: []arg{in(-2, 2, 2, 5)}, build: logSoftmax(1)},
		{op: "LogSoftmax", variant: "channels", args: []arg{in(-2, 2, 2, 3, 2, 2)}, build: logSoftmax(-3)},
	}
}
