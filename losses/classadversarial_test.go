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

// sines fills an array with a·sin(0.37·i + phase), as the references in PyTorch did.
func sines(a, phase float64, shape ...int) graphtest.Array {
	x := graphtest.New(shape...)
	for i := range x.Data {
		x.Data[i] = a * math.Sin(0.37*float64(i)+phase)
	}
	return x
}

// The loss and its gradient as PyTorch 2 has them, in float64, by soft_label_cross_entropy of
// FADA's public code on maps of sines: the first image has the source's labels and the second
// the target's, of temperature 1.8 and at most 0.9. (Enlarged with align_corners off.)
func TestClassDomainLossEqualsPyTorch(t *testing.T) {
	g, err := graphs.Build("fada", func(g *graphs.Graph) {
		scores, logits := g.Param("scores", 2, 6, 2, 3), g.Param("logits", 2, 3, 2, 3)
		labels := SoftLabels(logits, 4, 6, 1.8, 0.9)
		loss := ClassDomainLoss(scores, labels, g.Floats([]float32{1, 0}, 2, 1, 1), 4, 6)
		g.Output("loss", loss)
		g.Output("gradient", graphs.Gradients(loss, scores)[0])
		g.Output("most", g.ReduceMax(labels, []int{0, 1, 2}, false))
	})
	if err != nil {
		t.Fatal(err)
	}
	out := graphtest.Run(g, map[string]graphtest.Array{"scores": sines(3, 1, 2, 6, 2, 3), "logits": sines(4, 2, 2, 3, 2, 3)})
	near(t, "loss", out["loss"].Data[0], 1.7416443063185063, 1e-6)
	near(t, "largest label", out["most"].Data[0], 0.9, 1e-6)
	for at, want := range map[int]float64{0: -0.018212060676856295, 7: -0.0010046937281247977, 20: 0.02654408171374832, 41: 0.002661650549804814, 70: -0.03293430181646424} {
		near(t, fmt.Sprint("gradient ", at), out["gradient"].Data[at], want, 1e-7)
	}
}

// Soft labels are constants to the network that they are of.
func TestSoftLabelsHaveNoGradient(t *testing.T) {
	_, err := graphs.Build("detached", func(g *graphs.Graph) {
		logits := g.Param("logits", 1, 2, 2, 2)
		graphs.Gradients(ClassDomainLoss(g.Param("scores", 1, 4, 2, 2), SoftLabels(logits, 2, 2, 1.8, 0.9), g.Floats([]float32{1}, 1, 1, 1), 2, 2), logits)
	})
	if err == nil || !strings.Contains(err.Error(), "the loss does not reach logits") {
		t.Errorf("error %v", err)
	}
}

// A discriminator that knows nothing of two classes loses log 4 for each whole label; one
// that is sure of the other domain loses what it is sure of.
func TestClassDomainLossByHand(t *testing.T) {
	g, err := graphs.Build("classes", func(g *graphs.Graph) {
		g.Output("loss", ClassDomainLoss(g.Param("scores", 1, 4, 1, 1), g.Floats([]float32{0.75, 0.25}, 1, 2, 1), g.Floats([]float32{1}, 1, 1, 1), 1, 1))
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []struct {
		scores []float64
		want   float64
	}{
		{[]float64{0, 0, 0, 0}, 2 * math.Ln2},
		{[]float64{0, 0, 1000, 0}, 1000},
		{[]float64{math.Log(3), 0, -1000, -1000}, 2*math.Ln2 - 0.75*math.Log(3)},
	} {
		out := graphtest.Run(g, map[string]graphtest.Array{"scores": {Shape: graphs.Shape{1, 4, 1, 1}, Data: k.scores}})
		near(t, fmt.Sprint(k.scores), out["loss"].Data[0], k.want, 1e-6)
	}
}

func TestClassDomainLossGradient(t *testing.T) {
	for _, k := range ceCases {
		r := rand.New(rand.NewPCG(6, 13))
		in := map[string]graphtest.Array{
			"scores": graphtest.Uniform(r, -3, 3, k.n, 2*k.c, k.h, k.w), "labels": graphtest.Uniform(r, 0, 1, k.n, k.c, k.height*k.width),
			"source": graphtest.Fill(func() float64 { return float64(r.IntN(2)) }, k.n, 1, 1),
		}
		graphtest.CheckGradients(t, func(_ *graphs.Graph, in map[string]*graphs.Value) *graphs.Value {
			return ClassDomainLoss(in["scores"], in["labels"], in["source"], k.height, k.width)
		}, in, []string{"scores"}, 1e-6)
	}
}

func TestClassDomainLossRefusesOtherShapes(t *testing.T) {
	_, err := graphs.Build("wrong", func(g *graphs.Graph) {
		ClassDomainLoss(g.Param("s", 2, 5, 3, 3), g.Param("l", 2, 2, 36), g.Param("d", 2, 1, 1), 6, 6)
	})
	if err == nil || !strings.Contains(err.Error(), "want scores [N,2·C,h,w]") {
		t.Errorf("error %v", err)
	}
}
