package cases

import "t2sda/graphs"

func elementwiseCases() (cases []Case) {
	unary := func(op string, a Arg, f func(g *graphs.Graph, x *graphs.Value) *graphs.Value) {
		cases = append(cases, Case{Op: op, Variant: "map", Args: []Arg{a}, Build: func(g *graphs.Graph, v []*graphs.Value) *graphs.Value {
			return f(g, v[0])
		}})
	}
	unary("Abs", apart(0, 3, 4), (*graphs.Graph).Abs)
	unary("Erf", in(-2, 2, 3, 4), (*graphs.Graph).Erf)
	unary("Exp", f(3, 4), (*graphs.Graph).Exp)
	unary("Floor", in(-3, 3, 3, 4), (*graphs.Graph).Floor)
	unary("Gelu", in(-4, 4, 3, 8), (*graphs.Graph).Gelu)
	unary("Identity", f(3, 4), (*graphs.Graph).Identity)
	unary("Log", in(0.5, 3, 3, 4), (*graphs.Graph).Log)
	unary("Neg", f(3, 4), (*graphs.Graph).Neg)
	unary("Reciprocal", in(0.5, 2, 3, 4), (*graphs.Graph).Reciprocal)
	unary("Relu", apart(0, 3, 4), (*graphs.Graph).Relu)
	unary("Sigmoid", in(-3, 3, 3, 4), (*graphs.Graph).Sigmoid)
	unary("Sign", apart(0, 3, 4), (*graphs.Graph).Sign)
	unary("Sqrt", in(0.5, 2, 3, 4), (*graphs.Graph).Sqrt)
	unary("Tanh", in(-2, 2, 3, 4), (*graphs.Graph).Tanh)
	unary("Clip", apart(0.01, 3, 4), func(g *graphs.Graph, x *graphs.Value) *graphs.Value { return g.Clip(x, -0.5, 0.25) })
	unary("HardSigmoid", apart(0.01, 4, 8), func(g *graphs.Graph, x *graphs.Value) *graphs.Value { return g.HardSigmoid(x, 0.5, 0.5) })

	binary := func(op string, f func(g *graphs.Graph, a, b *graphs.Value) *graphs.Value, operand func(which int, dims ...int) Arg) {
		build := func(g *graphs.Graph, v []*graphs.Value) *graphs.Value { return f(g, v[0], v[1]) }
		for _, s := range []struct {
			variant string
			a, b    []int
		}{
			{"equal", []int{2, 3}, []int{2, 3}},
			{"trailing", []int{2, 3, 4}, []int{4}},
			{"leading", []int{3, 1}, []int{2, 3, 4}},
			{"crossed", []int{2, 1, 4}, []int{1, 3, 1}},
			{"scalar", []int{}, []int{2, 3}},
			{"many rows", []int{3}, []int{4, 9, 3}},
		} {
			cases = append(cases, Case{Op: op, Variant: s.variant, Args: []Arg{operand(0, s.a...), operand(1, s.b...)}, Build: build})
		}
		cases = append(cases, Case{Op: op, Variant: "itself", Args: []Arg{operand(0, 2, 3)}, Build: func(g *graphs.Graph, v []*graphs.Value) *graphs.Value {
			return f(g, v[0], g.Neg(v[0]))
		}})
	}
	smooth := func(_ int, dims ...int) Arg { return f(dims...) }
	kinked := func(which int, dims ...int) Arg { return apart(0.3*float64(which), dims...) }
	binary("Add", (*graphs.Graph).Add, smooth)
	binary("Sub", (*graphs.Graph).Sub, smooth)
	binary("Mul", (*graphs.Graph).Mul, smooth)
	binary("Div", (*graphs.Graph).Div, func(_ int, dims ...int) Arg { return in(0.5, 2, dims...) })
	binary("Max", (*graphs.Graph).Max, kinked)
	binary("Min", (*graphs.Graph).Min, kinked)
	for _, op := range []struct {
		name string
		f    func(g *graphs.Graph, a, b *graphs.Value) *graphs.Value
	}{{"Add", (*graphs.Graph).Add}, {"Mul", (*graphs.Graph).Mul}, {"Div", (*graphs.Graph).Div}} {
		cases = append(cases, Case{
			Op: op.name, Variant: "integers", Args: []Arg{in(0, 9, 5), index(graphs.Int64, 1, 9, 5)},
			Build: func(g *graphs.Graph, v []*graphs.Value) *graphs.Value {
				return g.Mul(v[0], g.Cast(op.f(g, g.Ints([]int64{7}, 1), v[1]), graphs.Float32))
			},
		})
	}
	return cases
}
