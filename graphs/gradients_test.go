package graphs_test

import (
	"strings"
	"testing"

	"t2sda/graphs"
	"t2sda/graphs/graphtest"
)

func TestFanOutAccumulates(t *testing.T) {
	r := map[string]graphtest.Array{"x": {Shape: graphs.Shape{3}, Data: []float64{0.5, -1, 2}}}
	graphtest.CheckGradients(t, func(g *graphs.Graph, in map[string]*graphs.Value) *graphs.Value {
		x := in["x"]
		a := g.Tanh(x)
		b := g.Mul(a, g.Add(x, a)) // x and a are read several times
		return g.Add(g.Add(b, g.Exp(b)), g.Mul(x, x))
	}, r, []string{"x"}, 1e-7)
}

func TestCotangentsOfDifferentBreadthAccumulate(t *testing.T) {
	r := map[string]graphtest.Array{"x": {Shape: graphs.Shape{2, 3}, Data: []float64{1, 2, 3, 4, 5, 6}}}
	graphtest.CheckGradients(t, func(g *graphs.Graph, in map[string]*graphs.Value) *graphs.Value {
		x := in["x"]
		sum := g.ReduceSum(x, nil, true)        // cotangent by x: [1,1]
		rows := g.ReduceMean(x, []int{1}, true) // [2,1]
		return g.Mul(g.Mul(sum, rows), g.Tanh(x))
	}, r, []string{"x"}, 1e-6)
}

func TestGradientOfTheLossItself(t *testing.T) {
	g := build(t, func(g *graphs.Graph) {
		x := g.Param("x", 1, 1)
		g.Output("d", graphs.Gradients(x, x)[0])
	})
	d := graphtest.Run(g, map[string]graphtest.Array{"x": graphtest.New(1, 1)})["d"]
	if !d.Shape.Equal(graphs.Shape{1, 1}) || d.Data[0] != 1 {
		t.Errorf("%v", d)
	}
}

func TestSecondDerivative(t *testing.T) {
	g := build(t, func(g *graphs.Graph) {
		x := g.Param("x")
		first := graphs.Gradients(g.Mul(g.Mul(x, x), x), x)[0]
		g.Output("d", graphs.Gradients(first, x)[0])
	})
	d := graphtest.Run(g, map[string]graphtest.Array{"x": {Data: []float64{5}}})["d"]
	if d.Data[0] != 30 { // (x³)″ = 6x
		t.Errorf("%v, want 30", d.Data)
	}
}

// TestSweepIsPruned checks that nothing is emitted for operands that need no gradient.
func TestSweepIsPruned(t *testing.T) {
	build(t, func(g *graphs.Graph) {
		x, w, b := g.Input("x", graphs.Float32, 2, 3, 8, 8), g.Param("w", 4, 3, 3, 3), g.Param("b", 4)
		y := g.Conv(x, w, b, graphs.ConvAttrs{})
		loss := g.ReduceMean(g.Mul(y, g.Exp(g.Neg(x.Graph().Input("c", graphs.Float32, 2, 4, 6, 6)))), nil, false)
		before := len(g.Nodes())
		graphs.Gradients(loss, b)
		for _, n := range g.Nodes()[before:] {
			if op := n.Op(); op != "ReduceSum" && op != "Mul" {
				t.Errorf("the gradient by a bias emits %s", n.Name())
			}
		}
		before = len(g.Nodes())
		graphs.Gradients(loss, x)
		for _, n := range g.Nodes()[before:] {
			if strings.Contains(n.Name(), "Exp") || strings.Contains(n.Name(), "Neg") {
				t.Errorf("the gradient by x goes through %s", n.Name())
			}
		}
	})
}

// TestLinearLayerGradientIsOneProduct checks that batch and tokens are rows of one product, without
// a sum over the batch.
func TestLinearLayerGradientIsOneProduct(t *testing.T) {
	build(t, func(g *graphs.Graph) {
		x, w := g.Param("x", 2, 16, 8), g.Param("w", 4, 8)
		y := g.FusedMatMul(x, w, false, true, 1)
		before := len(g.Nodes())
		graphs.Gradients(g.ReduceSum(g.Mul(y, g.Input("c", graphs.Float32, 2, 16, 4)), nil, false), x, w)
		products := 0
		for _, n := range g.Nodes()[before:] {
			switch n.Op() {
			case "MatMul", "FusedMatMul":
				products++
			case "ReduceSum":
				if strings.Contains(n.Name(), ".grad") {
					t.Errorf("%s", n.Name())
				}
			}
		}
		if products != 2 {
			t.Errorf("%d products, want one per operand", products)
		}
	})
}

func TestSingleBackwardSweepSharesNodes(t *testing.T) {
	build(t, func(g *graphs.Graph) {
		x := g.Param("x", 4)
		loss := g.ReduceSum(g.Exp(g.Tanh(x)), nil, false)
		first := graphs.Gradients(loss, x)[0]
		before := len(g.Nodes())
		if second := graphs.Gradients(loss, x)[0]; second != first || len(g.Nodes()) != before {
			t.Error("the same sweep again emits nodes")
		}
	})
}
