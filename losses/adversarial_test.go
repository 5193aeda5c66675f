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

// buildAdversarial makes the loss of a discriminator that adds up what it sees, under a
// stride of 2, with its gradient: of probabilities, or of their self-information.
func (k ceCase) buildAdversarial(t testing.TB, entropy bool) *graphs.Graph {
	t.Helper()
	g, err := graphs.Build("adversarial", func(g *graphs.Graph) {
		logits := g.Param("logits", k.n, k.c, k.h, k.w)
		loss := k.adversarial(logits, g.Input("kernel", graphs.Float32, 1, k.c, 2, 2), g.Input("signs", graphs.Float32, k.n, 1, 1, 1), entropy)
		g.Output("loss", loss)
		g.Output("gradient", graphs.Gradients(loss, logits)[0])
	})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func (k ceCase) adversarial(logits, kernel, signs *graphs.Value, entropy bool) *graphs.Value {
	p := Probabilities(logits, k.height, k.width)
	if entropy {
		p = SelfInformation(p)
	}
	return DomainLoss(logits.Graph().Conv(p, kernel, nil, graphs.ConvAttrs{Strides: [2]int{2, 2}}), signs)
}

func (k ceCase) adversarialOperands(r *rand.Rand) map[string]graphtest.Array {
	in := map[string]graphtest.Array{
		"logits": graphtest.Uniform(r, -3, 3, k.n, k.c, k.h, k.w), "kernel": graphtest.Uniform(r, -1, 1, 1, k.c, 2, 2), "signs": graphtest.New(k.n, 1, 1, 1),
	}
	for i := range k.n {
		in["signs"].Data[i] = float64(1 - 2*(i%2)) // source, target, …
	}
	return in
}

// refAdversarial is BCEWithLogits over a discriminator's map, as both public codes have it.
func (k ceCase) refAdversarial(in map[string]graphtest.Array, entropy bool) float64 {
	sum, count := 0.0, 0
	for n := range k.n {
		for y := 0; y+2 <= k.height; y += 2 {
			for x := 0; x+2 <= k.width; x += 2 {
				score := 0.0
				for i := range 4 {
					for c, p := range refSoftmax(in["logits"].Data, n, k.c, k.h, k.w, y+i/2, x+i%2, k.height, k.width) {
						if entropy {
							p *= -math.Log2(p) / math.Log2(float64(k.c))
						}
						score += in["kernel"].Data[4*c+i] * p
					}
				}
				source := 1 / (1 + math.Exp(-score))
				if in["signs"].Data[n] < 0 {
					source = 1 - source
				}
				sum, count = sum-math.Log(source), count+1
			}
		}
	}
	return sum / float64(count)
}

func TestAdversarialEqualsReference(t *testing.T) {
	for _, k := range ceCases {
		for _, entropy := range []bool{false, true} {
			in := k.adversarialOperands(rand.New(rand.NewPCG(4, 9)))
			near(t, fmt.Sprint(k, entropy), graphtest.Run(k.buildAdversarial(t, entropy), in)["loss"].Data[0], k.refAdversarial(in, entropy), 1e-6)
		}
	}
}

func TestAdversarialGradient(t *testing.T) {
	for _, k := range ceCases {
		for _, entropy := range []bool{false, true} {
			graphtest.CheckGradients(t, func(_ *graphs.Graph, in map[string]*graphs.Value) *graphs.Value {
				return k.adversarial(in["logits"], in["kernel"], in["signs"], entropy)
			}, k.adversarialOperands(rand.New(rand.NewPCG(6, 9))), []string{"logits", "kernel"}, 1e-6)
		}
	}
}

// A discriminator that knows nothing loses log 2; one that is sure and wrong loses as much
// as it is sure of, with nothing infinite on the way; the derivative at 0 is −½.
func TestDomainLossByHand(t *testing.T) {
	g, err := graphs.Build("domain", func(g *graphs.Graph) {
		scores := g.Param("scores", 2, 1, 1, 1)
		loss := DomainLoss(scores, g.Floats([]float32{1, -1}, 2, 1, 1, 1))
		g.Output("loss", loss)
		g.Output("gradient", graphs.Gradients(loss, scores)[0])
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []struct{ source, target, want, gradient float64 }{
		{0, 0, math.Ln2, -0.25}, // of the mean of two
		{1000, -1000, 0, 0},
		{-1000, 1000, 1000, -0.5},
		{math.Log(3), -math.Log(3), math.Log(4.0 / 3), -0.125},
	} {
		out := graphtest.Run(g, map[string]graphtest.Array{"scores": {Shape: graphs.Shape{2, 1, 1, 1}, Data: []float64{k.source, k.target}}})
		near(t, "loss", out["loss"].Data[0], k.want, 1e-7)
		near(t, "gradient", out["gradient"].Data[0], k.gradient, 1e-7)
		near(t, "gradient of the target's", out["gradient"].Data[1], -k.gradient, 1e-7)
	}
}

// At certainty there is no information, and its gradient is finite.
func TestSelfInformationOfCertainty(t *testing.T) {
	g, err := graphs.Build("information", func(g *graphs.Graph) {
		p := g.Param("p", 1, 2, 1, 2)
		information := SelfInformation(p)
		g.Output("information", information)
		g.Output("gradient", graphs.Gradients(g.ReduceSum(information, nil, false), p)[0])
	})
	if err != nil {
		t.Fatal(err)
	}
	out := graphtest.Run(g, map[string]graphtest.Array{"p": {Shape: graphs.Shape{1, 2, 1, 2}, Data: []float64{1, 0.5, 0, 0.5}}})
	for i, want := range []float64{0, 0.5, 0, 0.5} {
		near(t, fmt.Sprint("information ", i), out["information"].Data[i], want, 1e-7)
		if d := out["gradient"].Data[i]; math.IsNaN(d) || math.IsInf(d, 0) {
			t.Errorf("gradient %d is %g", i, d)
		}
	}
}

func TestAdversarialRefusesOtherShapes(t *testing.T) {
	for want, build := range map[string]func(g *graphs.Graph){
		"want scores":          func(g *graphs.Graph) { DomainLoss(g.Param("s", 2, 1, 3, 3), g.Param("d", 1, 1, 1, 1)) },
		"at least two classes": func(g *graphs.Graph) { SelfInformation(g.Param("p", 2, 1, 3, 3)) },
	} {
		if _, err := graphs.Build("wrong", build); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}
