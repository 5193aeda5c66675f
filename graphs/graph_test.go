package graphs_test

import (
	"slices"
	"testing"

	"t2sda/graphs"
	"t2sda/graphs/graphtest"
)

// build is graphs.Build for graphs that must be right.
func build(t testing.TB, f func(g *graphs.Graph)) *graphs.Graph {
	t.Helper()
	g, err := graphs.Build("test", f)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestEqualNodesAreCreatedOnce(t *testing.T) {
	build(t, func(g *graphs.Graph) {
		x, y := g.Input("x", graphs.Float32, 2, 3), g.Input("y", graphs.Float32, 2, 3)
		same := func(what string, a, b *graphs.Value, want bool) {
			if (a == b) != want {
				t.Errorf("%s: one node: %v, want %v", what, a == b, want)
			}
		}
		same("equal operands", g.Add(x, y), g.Add(x, y), true)
		same("other operands", g.Add(x, x), g.Add(x, y), false)
		same("other operators", g.Add(x, y), g.Sub(x, y), false)
		same("equal attributes", g.Softmax(x, 1), g.Softmax(x, -1), true)
		same("other attributes", g.Softmax(x, 0), g.Softmax(x, 1), false)
		same("other flags", g.ReduceSum(x, []int{0}, true), g.ReduceSum(x, []int{0}, false), false)
		same("small constants", g.Scalar(0.5), g.Scalar(0.5), true)
		same("constants of other shape", g.Floats([]float32{1}, 1), g.Scalar(1), false)
		same("constants of other type", g.Floats([]float32{1}, 1), g.Ints([]int64{1}, 1), false)
		same("large constants", g.Floats(make([]float32, 1000), 1000), g.Floats(make([]float32, 1000), 1000), false)
		same("pieces of equal splits", g.Split(x, 1, 1, 2)[1], g.Split(x, 1, 1, 2)[1], true)
		same("pieces of one split", g.Split(x, 0, 1, 1)[0], g.Split(x, 0, 1, 1)[1], false)
		same("scopes", g.Exp(x), scoped(g, "inner", func() *graphs.Value { return g.Exp(x) }), true)
	})
}

func scoped(g *graphs.Graph, name string, f func() *graphs.Value) (v *graphs.Value) {
	g.WithScope(name, func() { v = f() })
	return v
}

func TestBuildersThatWouldDoNothing(t *testing.T) {
	build(t, func(g *graphs.Graph) {
		x := g.Input("x", graphs.Float32, 2, 3, 4, 4)
		for what, y := range map[string]*graphs.Value{
			"Add":                g.Add(x, g.Scalar(0)),
			"Add, reversed":      g.Add(g.Scalar(0), x),
			"Sub":                g.Sub(x, g.Scalar(0)),
			"Mul":                g.Mul(g.Scalar(1), x),
			"Div":                g.Div(x, g.Scalar(1)),
			"Cast":               g.Cast(x, graphs.Float32),
			"Reshape":            g.Reshape(x, 2, 3, -1, 4),
			"Reshape and back":   g.Reshape(g.Reshape(x, 6, 16), 2, 3, 4, 4),
			"Transpose":          g.Transpose(x, 0, 1, 2, 3),
			"Transpose and back": g.Transpose(g.Transpose(x, 0, 2, 3, 1), 0, 3, 1, 2),
			"Expand":             g.Expand(x, 2, 3, 4, 4),
			"Concat":             g.Concat(1, x),
			"Split":              g.Split(x, 1, 3)[0],
			"Slice":              g.Slice(x, []int{0}, []int{99}, []int{2}, nil),
			"Pad":                g.Pad(x, make([]int, 8), 1),
			"Resize":             g.Resize(x, 4, 4, "linear"),
		} {
			if y != x {
				t.Errorf("%s: a node %s", what, y.Node().Name())
			}
		}
	})
}

func TestConsecutiveTransposesBecomeOne(t *testing.T) {
	x := graphtest.New(2, 3, 4)
	for i := range x.Data {
		x.Data[i] = float64(i)
	}
	g := build(t, func(g *graphs.Graph) {
		y := g.Transpose(g.Transpose(g.Input("x", graphs.Float32, 2, 3, 4), 1, 2, 0), 1, 2, 0)
		if y.Node().Inputs()[0] != g.Inputs()[0] {
			t.Error("the first Transpose is still read")
		}
		g.Output("y", y)
	})
	y := graphtest.Run(g, map[string]graphtest.Array{"x": x})["y"]
	if got, want := y.At(3, 1, 2), x.At(1, 2, 3); got != want { // y[c,a,b] = x[a,b,c]
		t.Errorf("y[3,1,2] = %g, want x[1,2,3] = %g", got, want)
	}
}

func TestInputsParamsOutputs(t *testing.T) {
	g := build(t, func(g *graphs.Graph) {
		x, w := g.Input("x", graphs.Float32, 2), g.Param("w", 2)
		y := g.Mul(x, w)
		g.Output("y", y)
		g.Output("again", y)
		g.Output("pass", x)
	})
	names := func(list []*graphs.Value) (out []string) {
		for _, v := range list {
			out = append(out, v.Name())
		}
		return out
	}
	if got := names(g.Inputs()); !slices.Equal(got, []string{"x", "w"}) {
		t.Errorf("inputs %v", got)
	}
	if got := names(g.Params()); !slices.Equal(got, []string{"w"}) {
		t.Errorf("parameters %v", got)
	}
	for i, want := range []struct{ name, op string }{{"y", "Mul"}, {"again", "Identity"}, {"pass", "Identity"}} {
		o := g.Outputs()[i]
		if o.Name != want.name || o.Value.Name() != want.name || o.Value.Node().Op() != want.op {
			t.Errorf("output %d is %s by %s, want %s by %s", i, o.Name, o.Value.Node().Op(), want.name, want.op)
		}
	}
	out := graphtest.Run(g, map[string]graphtest.Array{
		"x": {Shape: graphs.Shape{2}, Data: []float64{2, 3}},
		"w": {Shape: graphs.Shape{2}, Data: []float64{5, 7}},
	})
	for name, want := range map[string][]float64{"y": {10, 21}, "again": {10, 21}, "pass": {2, 3}} {
		if !slices.Equal(out[name].Data, want) {
			t.Errorf("%s = %v, want %v", name, out[name].Data, want)
		}
	}
}

func TestScopesNameNodes(t *testing.T) {
	build(t, func(g *graphs.Graph) {
		x := g.Param("x", 2)
		var y *graphs.Value
		g.WithScope("encoder", func() {
			g.WithScope("block1.0", func() { y = g.Exp(g.Exp(x)) })
			y = g.Exp(y)
		})
		if got := y.Node().Name(); got != "encoder/Exp_0" {
			t.Error(got)
		}
		inner := y.Node().Inputs()[0]
		if got := inner.Node().Name(); got != "encoder.block1.0/Exp_1" {
			t.Error(got)
		}
		d := graphs.Gradients(g.ReduceSum(inner, nil, false), x)[0]
		if got := d.Node().Name(); got != "encoder.block1.0/Exp_0.grad/Mul_0" {
			t.Error(got)
		}
		if got := g.Neg(x).Node().Name(); got != "Neg_0" {
			t.Errorf("after the scopes: %s", got)
		}
	})
}
