package losses

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"t2sda/graphs"
	"t2sda/graphs/graphtest"
)

type ceCase struct{ n, c, h, w, height, width int }

// ceCases cover phases of even, odd and mixed factors, single rows, general
// factors, shrinking and no resizing.
var ceCases = []ceCase{
	{2, 3, 3, 4, 12, 16},
	{1, 2, 2, 2, 6, 10},
	{1, 4, 3, 2, 3, 8},
	{2, 2, 1, 3, 4, 12},
	{1, 3, 3, 4, 7, 9},
	{1, 3, 4, 6, 2, 3},
	{2, 3, 3, 4, 3, 4},
}

// operands draws logits, labels and weights, of which every fifth is 0 (void).
func (k ceCase) operands(r *rand.Rand) map[string]graphtest.Array {
	in := map[string]graphtest.Array{
		"logits":  graphtest.Uniform(r, -3, 3, k.n, k.c, k.h, k.w),
		"labels":  graphtest.Fill(func() float64 { return float64(r.IntN(k.c)) }, k.n, k.height, k.width),
		"weights": graphtest.Uniform(r, 0, 1, k.n, k.height, k.width),
	}
	for i := 0; i < len(in["weights"].Data); i += 5 {
		in["weights"].Data[i] = 0
	}
	return in
}

func (k ceCase) reference(in map[string]graphtest.Array) float64 {
	return refCrossEntropy(in["logits"].Data, k.n, k.c, k.h, k.w, toInts(in["labels"].Data), in["weights"].Data, k.height, k.width)
}

func (k ceCase) build(t testing.TB) *graphs.Graph {
	t.Helper()
	g, err := graphs.Build("ce", func(g *graphs.Graph) {
		logits := g.Param("logits", k.n, k.c, k.h, k.w)
		loss := CrossEntropy(logits, g.Input("labels", graphs.Int64, k.n, k.height, k.width),
			g.Input("weights", graphs.Float32, k.n, k.height, k.width))
		g.Output("loss", loss)
		g.Output("gradient", graphs.Gradients(loss, logits)[0])
	})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func toInts(v []float64) []int {
	out := make([]int, len(v))
	for i, x := range v {
		out[i] = int(x)
	}
	return out
}

func near(t testing.TB, what string, got, want, tol float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tol*max(1, math.Abs(want))) {
		t.Errorf("%s: got %.12g, want %.12g", what, got, want)
	}
}

func TestCrossEntropyEqualsReference(t *testing.T) {
	for _, k := range ceCases {
		t.Run(fmt.Sprint(k), func(t *testing.T) {
			in := k.operands(rand.New(rand.NewPCG(3, 4)))
			// The graph's constants are float32: kernels of odd factors are rounded.
			near(t, "loss", graphtest.Run(k.build(t), in)["loss"].Data[0], k.reference(in), 1e-6)
		})
	}
}

func TestCrossEntropyGradient(t *testing.T) {
	for _, k := range ceCases {
		t.Run(fmt.Sprint(k), func(t *testing.T) {
			graphtest.CheckGradients(t, func(_ *graphs.Graph, in map[string]*graphs.Value) *graphs.Value {
				return CrossEntropy(in["logits"], in["labels"], in["weights"])
			}, k.operands(rand.New(rand.NewPCG(5, 6))), []string{"logits"}, 1e-6, graphtest.Typed("labels", graphs.Int64))
		})
	}
}

func TestCrossEntropyByHand(t *testing.T) {
	k := ceCase{1, 2, 1, 1, 4, 4}
	in := map[string]graphtest.Array{
		"logits": graphtest.New(1, 2, 1, 1), "labels": graphtest.New(1, 4, 4), "weights": graphtest.New(1, 4, 4),
	}
	for i := range 16 {
		in["weights"].Data[i] = 1.0 / 16
	}
	out := graphtest.Run(k.build(t), in)
	near(t, "equal logits", out["loss"].Data[0], math.Ln2, 1e-12)
	near(t, "gradient of the label", out["gradient"].Data[0], -0.5, 1e-7)
	near(t, "gradient of the other", out["gradient"].Data[1], 0.5, 1e-7)

	in["logits"].Data[0] = 1000 // no overflow, and the exact value of a confident mistake
	for i := range 16 {
		in["labels"].Data[i] = 1
	}
	out = graphtest.Run(k.build(t), in)
	near(t, "confident mistake", out["loss"].Data[0], 1000, 1e-9)
	near(t, "its gradient", out["gradient"].Data[1], -1, 1e-7)
}

func TestCrossEntropyOfVoidIsZero(t *testing.T) {
	k := ceCases[0]
	in := k.operands(rand.New(rand.NewPCG(7, 8)))
	clear(in["weights"].Data)
	for name, out := range graphtest.Run(k.build(t), in) {
		for _, v := range out.Data {
			if v != 0 {
				t.Fatalf("%s holds %g", name, v)
			}
		}
	}
}

func TestCrossEntropyStaysFinite(t *testing.T) {
	k := ceCase{1, 2, 1, 2, 1, 8} // neighbours that disagree by 1000
	in := map[string]graphtest.Array{
		"logits":  {Shape: graphs.Shape{1, 2, 1, 2}, Data: []float64{1000, 0, 0, 1000}},
		"labels":  graphtest.New(1, 1, 8),
		"weights": graphtest.Fill(func() float64 { return 1 }, 1, 1, 8),
	}
	for name, out := range graphtest.Run(k.build(t), in) {
		for _, v := range out.Data {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				t.Fatalf("%s holds %g", name, v)
			}
		}
	}
}

func TestPermutedClassesLeaveCrossEntropy(t *testing.T) {
	k := ceCases[0]
	in := k.operands(rand.New(rand.NewPCG(9, 10)))
	before := graphtest.Run(k.build(t), in)
	perm := []int{2, 0, 1}
	moved := in["logits"].Clone()
	area := k.h * k.w
	for n := range k.n {
		for c := range k.c {
			copy(moved.Data[(n*k.c+perm[c])*area:][:area], in["logits"].Data[(n*k.c+c)*area:][:area])
		}
	}
	in["logits"] = moved
	for i, label := range in["labels"].Data {
		in["labels"].Data[i] = float64(perm[int(label)])
	}
	after := graphtest.Run(k.build(t), in)
	near(t, "loss", after["loss"].Data[0], before["loss"].Data[0], 1e-12)
	for n := range k.n {
		for c := range k.c {
			for i := range area {
				near(t, "gradient", after["gradient"].Data[(n*k.c+perm[c])*area+i], before["gradient"].Data[(n*k.c+c)*area+i], 1e-12)
			}
		}
	}
}

func TestCrossEntropyRefusesOtherShapes(t *testing.T) {
	_, err := graphs.Build("ce", func(g *graphs.Graph) {
		CrossEntropy(g.Param("logits", 1, 2, 3, 4), g.Input("labels", graphs.Int64, 2, 3, 4), g.Input("weights", graphs.Float32, 2, 3, 4))
	})
	if err == nil || !strings.Contains(err.Error(), "CrossEntropy") {
		t.Errorf("error %v", err)
	}
}
