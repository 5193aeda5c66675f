package graphs_test

import (
	"fmt"

	"t2sda/graphs"
)

func gatherRows() (rows []row) {
	for axis := range 3 {
		rows = append(rows,
			row{op: "Gather", variant: fmt.Sprint("matrix of indices, axis ", axis), args: []arg{f(3, 4, 5), index(graphs.Int64, -3, 3, 2, 3)}, build: gatherAt(axis)},
			row{op: "GatherElements", variant: fmt.Sprint("axis ", axis), args: []arg{f(3, 4, 5), index(graphs.Int64, -3, 3, 3, 4, 5)}, build: func(g *graphs.Graph, v []*graphs.Value) *graphs.Value {
				return g.GatherElements(v[0], v[1], axis)
			}},
			row{op: "ScatterElements", variant: fmt.Sprint("add, axis ", axis), args: []arg{f(3, 4, 5), index(graphs.Int64, 0, 3, 2, 3, 4), f(2, 3, 4)}, build: scatter(axis, "add")})
	}
	scatterND := func(reduction string) builder {
		return func(g *graphs.Graph, v []*graphs.Value) *graphs.Value {
			return g.ScatterND(v[0], v[1], v[2], reduction)
		}
	}
	oneHot := func(axis int) builder {
		return func(g *graphs.Graph, v []*graphs.Value) *graphs.Value { return g.OneHot(v[0], 4, axis) }
	}
	return append(rows,
		row{op: "Gather", variant: "one index", args: []arg{f(4, 3), index(graphs.Int64, 0, 4)}, build: gatherAt(0)},
		row{op: "Gather", variant: "int32, repeated", args: []arg{f(2, 3), index(graphs.Int32, 0, 2, 7)}, build: gatherAt(-2)},
		row{op: "GatherElements", variant: "fewer rows", args: []arg{f(3, 4), index(graphs.Int64, 0, 3, 5, 2)}, build: func(g *graphs.Graph, v []*graphs.Value) *graphs.Value {
			return g.GatherElements(v[0], v[1], 0)
		}},
		row{op: "ScatterElements", variant: "none", args: []arg{f(4, 3), permutation(4, 3), f(4, 3)}, build: scatter(0, "none")},
		row{op: "ScatterND", variant: "rows", args: []arg{f(4, 3), index(graphs.Int64, 0, 4, 6, 1), f(6, 3)}, build: scatterND("add")},
		row{op: "ScatterND", variant: "cells", args: []arg{f(2, 3, 4), index(graphs.Int64, 0, 2, 5, 2), f(5, 4)}, build: scatterND("add")},
		row{op: "OneHot", variant: "last", args: []arg{index(graphs.Int64, -4, 4, 2, 3)}, build: oneHot(-1)},
		row{op: "OneHot", variant: "channels, out of range", args: []arg{index(graphs.Int64, 0, 9, 2, 3)}, build: oneHot(1)},
	)
}

func gatherAt(axis int) builder {
	return func(g *graphs.Graph, v []*graphs.Value) *graphs.Value { return g.Gather(v[0], v[1], axis) }
}

func scatter(axis int, reduction string) builder {
	return func(g *graphs.Graph, v []*graphs.Value) *graphs.Value {
		return g.ScatterElements(v[0], v[1], v[2], axis, reduction)
	}
}
