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

// buildEntropy makes the term with its gradient.
func (k ceCase) buildEntropy(t testing.TB) *graphs.Graph {
	t.Helper()
	g, err := graphs.Build("entropy", func(g *graphs.Graph) {
		logits := g.Param("logits", k.n, k.c, k.h, k.w)
		loss := Entropy(logits, k.height, k.width)
		g.Output("loss", loss)
		g.Output("gradient", graphs.Gradients(loss, logits)[0])
	})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// Two classes of probabilities ¾ and ¼ have 2 − ¾·log₂3 bits, of one bit at most; equal
// ones all of it; at certainty there is none, and no gradient.
func TestEntropyByHand(t *testing.T) {
	bits := 2 - 0.75*math.Log2(3)
	for _, k := range []struct{ a, b, want, gradient float64 }{
		// ∂H/∂x = −p·(log p + H), in nats; over log 2.
		{math.Log(3), 0, bits, -0.75 * (math.Log2(0.75) + bits)},
		{5, 5, 1, 0},
		{90, -90, 0, 0},
	} {
		in := map[string]graphtest.Array{"logits": {Shape: graphs.Shape{1, 2, 1, 1}, Data: []float64{k.a, k.b}}}
		out := graphtest.Run(ceCase{1, 2, 1, 1, 4, 4}.buildEntropy(t), in)
		near(t, "entropy", out["loss"].Data[0], k.want, 1e-6)
		near(t, "its gradient", out["gradient"].Data[0], k.gradient, 1e-6)
	}
}

// refEntropy is ADVENT's entropy_loss of enlarged logits.
func refEntropy(logits []float64, k ceCase) float64 {
	sum := 0.0
	for n := range k.n {
		for y := range k.height {
			for x := range k.width {
				p := refSoftmax(logits, n, k.c, k.h, k.w, y, x, k.height, k.width)
				for _, v := range p {
					sum -= v * math.Log2(v+1e-30)
				}
			}
		}
	}
	return sum / (float64(k.n*k.height*k.width) * math.Log2(float64(k.c)))
}

func TestEntropyEqualsReference(t *testing.T) {
	for _, k := range ceCases {
		in := k.operands(rand.New(rand.NewPCG(3, 9)))
		near(t, fmt.Sprint(k), graphtest.Run(k.buildEntropy(t), in)["loss"].Data[0], refEntropy(in["logits"].Data, k), 1e-6)
	}
}

func TestEntropyGradient(t *testing.T) {
	for _, k := range ceCases {
		in := map[string]graphtest.Array{"logits": k.operands(rand.New(rand.NewPCG(5, 9)))["logits"]}
		graphtest.CheckGradients(t, func(_ *graphs.Graph, in map[string]*graphs.Value) *graphs.Value {
			return Entropy(in["logits"], k.height, k.width)
		}, in, []string{"logits"}, 1e-6)
	}
}

func TestEntropyRefusesOneClass(t *testing.T) {
	_, err := graphs.Build("entropy", func(g *graphs.Graph) { Entropy(g.Param("logits", 1, 1, 2, 2), 4, 4) })
	if err == nil || !strings.Contains(err.Error(), "at least two classes") {
		t.Errorf("error %v", err)
	}
}
