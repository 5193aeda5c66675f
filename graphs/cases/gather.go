package cases

import (
	"fmt"

	"t2sda/graphs"
)

func gatherCases() (cases []Case) {
	for axis := range 3 {
		cases = append(cases,
			Case{Op: "Gather", Variant: fmt.Sprint("matrix of indices, axis ", axis), Args: []Arg{f(3, 4, 5), index(graphs.Int64, -3, 3, 2, 3)}, Build: gatherAt(axis)},
			Case{Op: "GatherElements", Variant: fmt.Sprint("axis ", axis), Args: []Arg{f(3, 4, 5), index(graphs.Int64, -3, 3, 3, 4, 5)}, Build: func(g *graphs.Graph, v []*graphs.Value) *graphs.Value {
				return g.GatherElements(v[0], v[1], axis)
			}},
			Case{Op: "ScatterElements", Variant: fmt.Sprint("add, axis ", axis), Args: []Arg{f(3, 4, 5), index(graphs.Int64, 0, 3, 2, 3, 4), f(2, 3, 4)}, Build: scatter(axis, "add")})
	}
	scatterND := func(reduction string) builder {
		return func(g *graphs.Graph, v []*graphs.Value) *graphs.Value {
			return g.ScatterND(v[0], v[1], v[2], reduction)
		}
	}
	oneHot := func(axis int) builder {
		return func(g *graphs.Graph, v []*graphs.Value) *graphs.Value { return g.OneHot(v[0], 4, axis) }
	}
	return append(cases,
		Case{Op: "Gather", Variant: "one index", Args: []Arg{f(4, 3), index(graphs.Int64, 0, 4)}, Build: gatherAt(0)},
		Case{Op: "Gather", Variant: "int32, repeated", Args: []Arg{f(2, 3), index(graphs.Int32, 0, 2, 7)}, Build: gatherAt(-2)},
		Case{Op: "GatherElements", Variant: "fewer rows", Args: []Arg{f(3, 4), index(graphs.Int64, 0, 3, 5, 2)}, Build: func(g *graphs.Graph, v []*graphs.Value) *graphs.Value {
			return g.GatherElements(v[0], v[1], 0)
		}},
		Case{Op: "ScatterElements", Variant: "none", Args: []Arg{f(4, 3), permutation(4, 3), f(4, 3)}, Build: scatter(0, "none")},
		Case{Op: "ScatterND", Variant: "rows", Args: []Arg{f(4, 3), permutation(4, 1), f(4, 3)}, Build: scatterND("add")},
		Case{Op: "ScatterND", Variant: "cells", Args: []Arg{f(2, 3, 4), permutation(2, 2), f(2, 4)}, Build: scatterND("add")},
		Case{Op: "ScatterND", Variant: "none", Args: []Arg{f(2, 3, 4), permutation(2, 2), f(2, 4)}, Build: scatterND("none")},
		Case{Op: "OneHot", Variant: "last", Args: []Arg{index(graphs.Int64, -4, 4, 2, 3)}, Build: oneHot(-1)},
		Case{Op: "OneHot", Variant: "channels, out of range", Args: []Arg{index(graphs.Int64, 0, 9, 2, 3)}, Build: oneHot(1)},
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
