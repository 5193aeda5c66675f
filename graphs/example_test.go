package graphs_test

import (
	"fmt"

	"t2sda/graphs"
	"t2sda/graphs/graphtest"
)

// A linear layer with a squared error, its gradients and the model's size.
func Example() {
	g, err := graphs.Build("regression", func(g *graphs.Graph) {
		x := g.Input("x", graphs.Float32, 2, 3)
		w := g.Param("weight", 3, 1)
		b := g.Param("bias", 1)
		e := g.Sub(g.Add(g.MatMul(x, w), b), g.Input("y", graphs.Float32, 2, 1))
		loss := g.ReduceMean(g.Mul(e, e), nil, false)
		g.Output("loss", loss)
		for i, d := range graphs.Gradients(loss, w, b) {
			g.Output("d."+g.Params()[i].Name(), d)
		}
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	out := graphtest.Run(g, map[string]graphtest.Array{
		"x":      {Shape: graphs.Shape{2, 3}, Data: []float64{1, 2, 3, 4, 5, 6}},
		"y":      {Shape: graphs.Shape{2, 1}, Data: []float64{1, 2}},
		"weight": {Shape: graphs.Shape{3, 1}, Data: []float64{1, 0, 0}},
		"bias":   {Shape: graphs.Shape{1}, Data: []float64{1}},
	})
	fmt.Println(out["loss"].Data, out["d.weight"].Data, out["d.bias"].Data)
	// Output: [5] [13 17 21] [4]
}

// A mistake becomes an error that names operator, node and shapes.
func ExampleBuild_error() {
	_, err := graphs.Build("net", func(g *graphs.Graph) {
		g.WithScope("head", func() {
			g.MatMul(g.Input("x", graphs.Float32, 8, 64), g.Param("w", 32, 19))
		})
	})
	fmt.Println(err)
	// Output: building "net": graphs: MatMul (head/MatMul_0) of [8,64] and [32,19]: inner dimensions 64 and 32 differ
}

// Gradients refuses parameters that the loss does not reach.
func ExampleGradients_unreached() {
	_, err := graphs.Build("net", func(g *graphs.Graph) {
		used, forgotten := g.Param("used", 2), g.Param("forgotten", 2)
		graphs.Gradients(g.ReduceSum(used, nil, false), used, forgotten)
	})
	fmt.Println(err)
	// Output: building "net": graphs: Gradients (ReduceSum_0): the loss does not reach forgotten
}
