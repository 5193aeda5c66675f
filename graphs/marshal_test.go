package graphs_test

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"

	"t2sda/graphs/engine/enginetest"

	"t2sda/graphs"
	"t2sda/graphs/engine"
)

func marshal(t testing.TB, g *graphs.Graph) []byte {
	t.Helper()
	m, err := g.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestDeadNodesAreLeftOut(t *testing.T) {
	g := build(t, func(g *graphs.Graph) {
		x := g.Input("x", graphs.Float32, 4)
		g.WithScope("dead", func() { g.Exp(g.Mul(x, g.Floats(make([]float32, 4), 4))) })
		g.WithScope("live", func() { g.Output("y", g.Neg(x)) })
		g.Input("unused", graphs.Float32, 3)
	})
	m := marshal(t, g)
	if bytes.Contains(m, []byte("dead")) || bytes.Contains(m, []byte("const_")) {
		t.Error("dead nodes or constants are in the model")
	}
	for _, want := range []string{"live/Neg_0", "unused"} {
		if !bytes.Contains(m, []byte(want)) {
			t.Errorf("%s is not in the model", want)
		}
	}
}

func TestOptionalOutputsAreLeftOut(t *testing.T) {
	for _, trained := range []bool{false, true} {
		g := build(t, func(g *graphs.Graph) {
			x := g.Param("x", 3, 4)
			y := g.LayerNormalization(x, g.Input("s", graphs.Float32, 4), g.Input("b", graphs.Float32, 4), 1e-5)
			if trained {
				y = graphs.Gradients(g.ReduceSum(g.Exp(y), nil, false), x)[0]
			}
			g.Output("y", y)
		})
		if got := bytes.Contains(marshal(t, g), []byte("LayerNormalization_0:2")); got != trained {
			t.Errorf("trained %v: 1/σ in the model: %v", trained, got)
		}
	}
}

func TestDomainOnlyWhenUsed(t *testing.T) {
	for _, used := range []bool{false, true} {
		g := build(t, func(g *graphs.Graph) {
			x := g.Input("x", graphs.Float32, 3)
			gelu := g.Gelu(x)
			if !used {
				gelu = x // the node stays, dead
			}
			g.Output("y", g.Neg(gelu))
		})
		if got := bytes.Contains(marshal(t, g), []byte("com.microsoft")); got != used {
			t.Errorf("used %v: domain in the model: %v", used, got)
		}
	}
}

func TestMarshalNeedsOutputs(t *testing.T) {
	g := build(t, func(g *graphs.Graph) { g.Input("x", graphs.Float32, 1) })
	if _, err := g.Marshal(); err == nil || !strings.Contains(err.Error(), `marshalling "test": the graph has no outputs`) {
		t.Error(err)
	}
}

// TestModelInRuntime loads a model with inputs of all types, weights as large constants and
// metadata.
func TestModelInRuntime(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	weights := make([]float32, 100)
	for i := range weights {
		weights[i] = float32(i)
	}
	g := build(t, func(g *graphs.Graph) {
		g.SetMetadata("classes", "road,sky")
		g.SetMetadata("author", "nobody")
		x := g.Input("x", graphs.Uint8, 2, 100)
		g.Output("sum", g.ReduceSum(g.Mul(g.Cast(x, graphs.Float32), g.Floats(weights, 100)), []int{1}, false))
		g.Output("best", g.ArgMax(g.Cast(x, graphs.Float32), 1, false))
		g.Output("copy", g.Input("mask", graphs.Bool, 3))
		g.Output("scalar", g.Scalar(7))
	})
	s, err := e.NewSession("model", marshal(t, g))
	if err != nil {
		t.Fatal(err)
	}
	if m := s.Metadata(); m["classes"] != "road,sky" || m["author"] != "nobody" {
		t.Errorf("metadata %v", m)
	}
	pixels := make([]uint8, 200)
	pixels[99], pixels[103] = 2, 1
	x, err := engine.NewTensor(pixels, 2, 100)
	if err != nil {
		t.Fatal(err)
	}
	mask, err := engine.NewTensor([]bool{true, false, true}, 3)
	if err != nil {
		t.Fatal(err)
	}
	out, err := s.Run(context.Background(), map[string]*engine.Tensor{"x": x, "mask": mask})
	if err != nil {
		t.Fatal(err)
	}
	if got := arrayOf(t, out["sum"]).Data; !slices.Equal(got, []float64{198, 3}) {
		t.Errorf("sum %v", got)
	}
	if got := arrayOf(t, out["best"]).Data; !slices.Equal(got, []float64{99, 3}) {
		t.Errorf("best %v", got)
	}
	if got := arrayOf(t, out["copy"]).Data; !slices.Equal(got, []float64{1, 0, 1}) {
		t.Errorf("copy %v", got)
	}
	if got := arrayOf(t, out["scalar"]).Data; !slices.Equal(got, []float64{7}) {
		t.Errorf("scalar %v", got)
	}
}

func TestMarshalIsReproducible(t *testing.T) {
	model := func() []byte {
		return marshal(t, build(t, func(g *graphs.Graph) {
			w := g.Param("w", 4, 3, 3, 3)
			g.SetMetadata("b", "2")
			g.SetMetadata("a", "1")
			y := g.Relu(g.Conv(g.Input("x", graphs.Float32, 1, 3, 6, 6), w, nil, graphs.ConvAttrs{}))
			g.Output("d", graphs.Gradients(g.ReduceMean(y, nil, false), w)[0])
		}))
	}
	if !bytes.Equal(model(), model()) {
		t.Error("two builds of one graph differ")
	}
}
