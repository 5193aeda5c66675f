package graphs_test

import "t2sda/graphs"

func poolRows() []row {
	maxPool := func(kh, kw int, a graphs.ConvAttrs) builder {
		return func(g *graphs.Graph, v []*graphs.Value) *graphs.Value { return g.MaxPool(v[0], [2]int{kh, kw}, a) }
	}
	mean := func(kh, kw int, a graphs.ConvAttrs) builder {
		return func(g *graphs.Graph, v []*graphs.Value) *graphs.Value { return g.AveragePool(v[0], [2]int{kh, kw}, a) }
	}
	two := [2]int{2, 2}
	ones := [4]int{1, 1, 1, 1}
	return []row{
		{op: "MaxPool", variant: "tiles", args: []arg{apart(0, 2, 3, 4, 6)}, build: maxPool(2, 2, graphs.ConvAttrs{Strides: two})},
		{op: "MaxPool", variant: "overlapping", args: []arg{apart(0, 2, 2, 7, 5)}, build: maxPool(3, 3, graphs.ConvAttrs{Strides: two, Pads: ones})},
		{op: "MaxPool", variant: "dilated", args: []arg{apart(0, 1, 2, 7, 6)}, build: maxPool(2, 3, graphs.ConvAttrs{Dilations: two})},
		{op: "AveragePool", variant: "tiles", args: []arg{f(2, 3, 4, 6)}, build: mean(2, 2, graphs.ConvAttrs{Strides: two})},
		{op: "AveragePool", variant: "overlapping", args: []arg{f(2, 3, 7, 5)}, build: mean(3, 3, graphs.ConvAttrs{Strides: two, Pads: ones})},
		{op: "AveragePool", variant: "with a rest", args: []arg{f(1, 2, 7, 5)}, build: mean(2, 3, graphs.ConvAttrs{Strides: [2]int{3, 1}})},
		{op: "AveragePool", variant: "global", args: []arg{f(2, 3, 4, 5)}, build: mean(4, 5, graphs.ConvAttrs{})},
	}
}
