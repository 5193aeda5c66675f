package cases

import "t2sda/graphs"

func poolCases() []Case {
	maxPool := func(kh, kw int, a graphs.ConvAttrs) builder {
		return func(g *graphs.Graph, v []*graphs.Value) *graphs.Value { return g.MaxPool(v[0], [2]int{kh, kw}, a) }
	}
	mean := func(kh, kw int, a graphs.ConvAttrs) builder {
		return func(g *graphs.Graph, v []*graphs.Value) *graphs.Value { return g.AveragePool(v[0], [2]int{kh, kw}, a) }
	}
	two := [2]int{2, 2}
	ones := [4]int{1, 1, 1, 1}
	return []Case{
		{Op: "MaxPool", Variant: "tiles", Args: []Arg{apart(0, 2, 3, 4, 6)}, Build: maxPool(2, 2, graphs.ConvAttrs{Strides: two})},
		{Op: "MaxPool", Variant: "overlapping", Args: []Arg{apart(0, 2, 2, 7, 5)}, Build: maxPool(3, 3, graphs.ConvAttrs{Strides: two, Pads: ones})},
		{Op: "MaxPool", Variant: "dilated", Args: []Arg{apart(0, 1, 2, 7, 6)}, Build: maxPool(2, 3, graphs.ConvAttrs{Dilations: two})},
		{Op: "AveragePool", Variant: "tiles", Args: []Arg{f(2, 3, 4, 6)}, Build: mean(2, 2, graphs.ConvAttrs{Strides: two})},
		{Op: "AveragePool", Variant: "overlapping", Args: []Arg{f(2, 3, 7, 5)}, Build: mean(3, 3, graphs.ConvAttrs{Strides: two, Pads: ones})},
		{Op: "AveragePool", Variant: "with a rest", Args: []Arg{f(1, 2, 7, 5)}, Build: mean(2, 3, graphs.ConvAttrs{Strides: [2]int{3, 1}})},
		{Op: "AveragePool", Variant: "global", Args: []Arg{f(2, 3, 4, 5)}, Build: mean(4, 5, graphs.ConvAttrs{})},
	}
}
