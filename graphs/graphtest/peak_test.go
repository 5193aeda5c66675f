package graphtest_test

import (
	"slices"
	"testing"

	"t2sda/graphs"
	"t2sda/graphs/graphtest"
)

// TestPeak: of x [10] → a → b → c with d = a + c as the output, a lives beside b, then beside c:
// 80 bytes, 4 an element. The other order of two independent chains decides between 40 and 80.
func TestPeak(t *testing.T) {
	g, err := graphs.Build("chain", func(g *graphs.Graph) {
		a := g.Exp(g.Input("x", graphs.Float32, 10))
		b := g.Tanh(g.Reshape(a, 2, 5)) // the reshaped a takes nothing
		g.Output("d", g.Add(a, g.Reshape(g.Sigmoid(b), 10)))
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := graphtest.Peak(g, names(g)); got != 120 { // a and b while Sigmoid writes
		t.Errorf("%d bytes, want 120", got)
	}
	g, err = graphs.Build("chains", func(g *graphs.Graph) {
		for _, name := range []string{"x", "y"} {
			x := g.Input(name, graphs.Float32, 10)
			g.Output("sum/"+name, g.ReduceSum(g.Exp(x), nil, false))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	order := names(g)
	for want, list := range map[int][]string{
		40: order,
		80: {order[0], order[2], order[1], order[3]},
		0:  {"unknown"},
	} {
		if got := graphtest.Peak(g, list); got != want {
			t.Errorf("%v: %d bytes, want %d", list, got, want)
		}
	}
}

func names(g *graphs.Graph) []string {
	var list []string
	for _, n := range g.Nodes() {
		list = append(list, n.Name())
	}
	return slices.Clip(list)
}
