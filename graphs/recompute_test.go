package graphs_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"t2sda/graphs"
	"t2sda/graphs/graphtest"
)

// blocks are three, of all that blocks may be: the first begins with an operator of one operand, and
// with one whose smallest operand is computed of a parameter inside; the second has two results, of
// which one is read inside, too, and noise; the third reads both and the input.
func blocks(g *graphs.Graph, in map[string]*graphs.Value) *graphs.Value {
	x, w := in["x"], in["w"]
	h := g.Mul(x, w)
	g.Block(func() { h = g.Mul(g.Add(g.Tanh(h), g.Mul(h, g.Exp(w))), w) })
	var a, b *graphs.Value
	g.Block(func() {
		g.Block(func() { a = g.Sigmoid(g.Mul(h, in["noise"])) }) // inside of another: no block
		b = g.Add(g.MatMul(a, in["m"]), h)
	})
	parts := []*graphs.Value{a, b}
	g.Block(func() { h = g.Mul(g.Softmax(g.Add(parts[0], parts[1]), -1), g.Sub(x, h)) })
	return h
}

func blocksInputs() map[string]graphtest.Array {
	r := rand.New(rand.NewPCG(1, 2))
	return map[string]graphtest.Array{
		"x": graphtest.Uniform(r, -1, 1, 2, 3), "w": graphtest.Uniform(r, 0.5, 1, 3), "m": graphtest.Uniform(r, -1, 1, 3, 3),
		"noise": {Shape: graphs.Shape{2, 1}, Data: []float64{0, 2}},
	}
}

func TestRecomputedGradients(t *testing.T) {
	graphtest.CheckGradients(t, blocks, blocksInputs(), []string{"x", "w", "m"}, 1e-7, graphtest.By(graphs.Recomputed))
}

// TestRecomputedSideBySide: blocks that read the same value and whose results are added up get one
// cotangent, and neither gives the other's gradient as well.
func TestRecomputedSideBySide(t *testing.T) {
	sum := func(g *graphs.Graph, in map[string]*graphs.Value) *graphs.Value {
		h := g.Exp(in["x"])
		var a, b, c *graphs.Value
		g.Block(func() { a = g.Tanh(h) })
		g.Block(func() { b = g.Sigmoid(h) })
		g.Block(func() { c = g.Tanh(g.Mul(h, in["w"])) })
		return g.Add(g.Add(a, b), c)
	}
	r := rand.New(rand.NewPCG(3, 4))
	in := map[string]graphtest.Array{"x": graphtest.Uniform(r, -1, 1, 2, 3), "w": graphtest.Uniform(r, 0.5, 1, 2, 3)}
	graphtest.CheckGradients(t, sum, in, []string{"x", "w"}, 1e-7, graphtest.By(graphs.Recomputed))
}

// derived builds blocks with a cotangent that is an input, and the gradients as outputs.
func derived(t *testing.T, derive func(loss *graphs.Value, wrt ...*graphs.Value) []*graphs.Value) *graphs.Graph {
	return build(t, func(g *graphs.Graph) {
		in := map[string]*graphs.Value{"noise": g.Input("noise", graphs.Float32, 2, 1)}
		var wrt []*graphs.Value
		for _, name := range []string{"x", "w", "m"} {
			in[name] = g.Param(name, blocksInputs()[name].Shape...)
			wrt = append(wrt, in[name])
		}
		y := blocks(g, in)
		loss := g.ReduceSum(g.Mul(y, g.Input("cotangent", graphs.Float32, y.Shape()...)), nil, false)
		g.Output("y", y)
		for i, d := range derive(loss, wrt...) {
			g.Output("d"+wrt[i].Name(), d)
		}
	})
}

// TestRecomputedIsTheSame: results are those without recomputation to the bit, also where the
// gradient that arrives is infinite or NaN.
func TestRecomputedIsTheSame(t *testing.T) {
	plain, again := derived(t, graphs.Gradients), derived(t, graphs.Recomputed)
	for _, first := range []float64{-0.3, 0, math.Inf(1), math.Inf(-1), math.NaN()} {
		in := blocksInputs()
		in["cotangent"] = graphtest.Array{Shape: graphs.Shape{2, 3}, Data: []float64{first, 1, -2, 0.5, 3, 0.25}}
		want, got := graphtest.Run(plain, in), graphtest.Run(again, in)
		for name, a := range want {
			for i, x := range a.Data {
				if y := got[name].Data[i]; math.Float64bits(x) != math.Float64bits(y) && !(math.IsNaN(x) && math.IsNaN(y)) {
					t.Errorf("cotangent %g: %s[%d] is %g, without recomputation %g", first, name, i, y, x)
				}
			}
		}
	}
}

// TestRecomputedReadsLate: nothing of the backward pass reads what is computed inside of a block on
// the way forward, and every copy depends on a cotangent.
func TestRecomputedReadsLate(t *testing.T) {
	g := derived(t, graphs.Recomputed)
	forward := map[*graphs.Node]bool{}
	late := map[*graphs.Node]bool{}
	copies := 0
	for _, n := range g.Nodes() {
		backward := strings.Contains(n.Name(), ".again") || strings.Contains(n.Name(), ".grad")
		forward[n] = !backward
		for _, v := range n.Inputs() {
			if v == nil || v.Node() == nil {
				continue
			}
			late[n] = late[n] || late[v.Node()]
			if backward && forward[v.Node()] && slices.Contains([]string{"Tanh", "Sigmoid", "MatMul", "Softmax", "Sub"}, v.Node().Op()) &&
				v.Node().Name() != "Sigmoid_0" { // which the third block reads
				t.Errorf("%s reads %s", n.Name(), v.Name())
			}
		}
		late[n] = late[n] || slices.ContainsFunc(n.Inputs(), func(v *graphs.Value) bool { return v != nil && v.Name() == "cotangent" })
		if strings.Contains(n.Name(), ".again/") && !strings.Contains(n.Name(), ".grad") {
			copies++
			if !late[n] {
				t.Errorf("%s is not late", n.Name())
			}
		}
	}
	if copies < 10 {
		t.Errorf("%d copies", copies)
	}
}

// TestRecomputedWithoutBlocks and of blocks that the loss does not reach: nothing is written again.
func TestRecomputedWithoutBlocks(t *testing.T) {
	g := build(t, func(g *graphs.Graph) {
		x := g.Param("x", 3)
		g.Block(func() { g.Output("aside", g.Exp(x)) })
		g.Output("d", graphs.Recomputed(g.ReduceSum(g.Tanh(x), nil, false), x)[0])
	})
	for _, n := range g.Nodes() {
		if strings.Contains(n.Name(), ".again") {
			t.Errorf("%s", n.Name())
		}
	}
}
