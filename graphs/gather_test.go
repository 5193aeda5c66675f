package graphs_test

import (
	"testing"

	"t2sda/graphs"
	"t2sda/graphs/cases"
	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
)

// TestGatherGradientAddsAll: rows that are read often get all that is due to them, also where the runtime
// computes on several threads at once. ScatterND's sum loses some of it there, in some of the runs.
func TestGatherGradientAddsAll(t *testing.T) {
	const rows, width, reads = 4, 16, 100_000
	g := build(t, func(g *graphs.Graph) {
		x := g.Param("x", rows, width)
		y := g.Gather(x, g.Input("index", graphs.Int64, reads), 0)
		g.Output("d", graphs.Gradients(g.ReduceSum(g.Mul(y, g.Input("weight", graphs.Float32, reads, 1)), nil, false), x)[0])
	})
	index, weight := make([]float64, reads), make([]float64, reads)
	for i := range reads {
		index[i], weight[i] = float64(i%rows), 1
	}
	model, err := g.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	s, err := enginetest.Open(t, engine.Options{IntraOpThreads: 4}).NewSession("gather", model)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	in := map[string]*engine.Tensor{}
	for name, values := range map[string][]float64{"index": index, "weight": weight, "x": make([]float64, rows*width)} {
		for _, v := range g.Inputs() {
			if v.Name() == name {
				if in[name], err = cases.Tensor(values, v.DType(), v.Shape()...); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	for range 20 {
		out, err := s.Run(t.Context(), in)
		if err != nil {
			t.Fatal(err)
		}
		for i, d := range out["d"].Floats() {
			if d != reads/rows {
				t.Fatalf("element %d of the gradient is %g, want %d", i, d, reads/rows)
			}
		}
	}
}
