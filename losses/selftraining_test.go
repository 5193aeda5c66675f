package losses

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"t2sda/graphs"
	"t2sda/graphs/graphtest"
	"t2sda/internal/raster"
)

const smoothing = 0.3

// buildSelfTraining makes the term with its gradient, with or without unlabelled pixels.
func (k ceCase) buildSelfTraining(t testing.TB, regularised bool) *graphs.Graph {
	t.Helper()
	g, err := graphs.Build("self_training", func(g *graphs.Graph) {
		in := map[string]*graphs.Value{
			"logits": g.Param("logits", k.n, k.c, k.h, k.w), "labels": g.Input("labels", graphs.Int64, k.n, k.height, k.width),
			"weights": g.Input("weights", graphs.Float32, k.n, k.height, k.width),
		}
		if regularised {
			in["unlabelled"] = g.Input("unlabelled", graphs.Float32, k.n, k.height, k.width)
		}
		loss := selfTraining(in)
		g.Output("loss", loss)
		g.Output("gradient", graphs.Gradients(loss, in["logits"])[0])
	})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func selfTraining(in map[string]*graphs.Value) *graphs.Value {
	if in["unlabelled"] == nil {
		return SelfTraining(in["logits"], in["labels"], in["weights"], nil, 0)
	}
	return SelfTraining(in["logits"], in["labels"], in["weights"], in["unlabelled"], smoothing)
}

func (k ceCase) selfTrainingOperands(r *rand.Rand) map[string]graphtest.Array {
	in := k.operands(r)
	in["unlabelled"] = graphtest.Uniform(r, 0, 1, k.n, k.height, k.width)
	return in
}

// refSelfTraining is the sum as it reads.
func (k ceCase) refSelfTraining(in map[string]graphtest.Array) float64 {
	loss := 0.0
	for i, w := range in["weights"].Data {
		p := refSoftmax(in["logits"].Data, i/(k.height*k.width), k.c, k.h, k.w, i/k.width%k.height, i%k.width, k.height, k.width)
		loss -= w * math.Log(p[int(in["labels"].Data[i])])
		for _, v := range p {
			loss -= w*smoothing*math.Log(v)/float64(k.c) + in["unlabelled"].Data[i]*v*math.Log(v)
		}
	}
	return loss
}

func TestSelfTrainingEqualsReference(t *testing.T) {
	for _, k := range ceCases {
		in := k.selfTrainingOperands(rand.New(rand.NewPCG(3, 11)))
		near(t, fmt.Sprint(k), graphtest.Run(k.buildSelfTraining(t, true), in)["loss"].Data[0], k.refSelfTraining(in), 1e-6)
		near(t, fmt.Sprint(k, " without regularisers"), graphtest.Run(k.buildSelfTraining(t, false), in)["loss"].Data[0], k.reference(in), 1e-6)
	}
}

func TestSelfTrainingGradient(t *testing.T) {
	for _, k := range ceCases {
		graphtest.CheckGradients(t, func(_ *graphs.Graph, in map[string]*graphs.Value) *graphs.Value { return selfTraining(in) },
			k.selfTrainingOperands(rand.New(rand.NewPCG(5, 11))), []string{"logits"}, 1e-6, graphtest.Typed("labels", graphs.Int64))
	}
}

// Of probabilities ¾ and ¼: a labelled pixel of weight 1 and an unlabelled one of weight 2.
func TestSelfTrainingByHand(t *testing.T) {
	a, b := math.Log(0.75), math.Log(0.25)
	out := graphtest.Run(ceCase{1, 2, 1, 2, 1, 2}.buildSelfTraining(t, true), map[string]graphtest.Array{
		"logits":     {Shape: graphs.Shape{1, 2, 1, 2}, Data: []float64{math.Log(3), math.Log(3), 0, 0}},
		"labels":     {Shape: graphs.Shape{1, 1, 2}, Data: []float64{1, 0}},
		"weights":    {Shape: graphs.Shape{1, 1, 2}, Data: []float64{1, 0}},
		"unlabelled": {Shape: graphs.Shape{1, 1, 2}, Data: []float64{0, 2}},
	})
	near(t, "loss", out["loss"].Data[0], -b-smoothing*(a+b)/2-2*(0.75*a+0.25*b), 1e-7)
}

// Half of class 0's four pixels are at or above 0.75; class 1 has its first pixel; class 2
// is not predicted.
func TestFollowClasses(t *testing.T) {
	labels, confidence := []uint8{0, 1, 0, 0, 0}, []float32{0.9, 0.5, 0.6, 0.8, 0.7}
	thresholds := []float32{0.9, 0, 0.3}
	if err := FollowClasses(thresholds, labels, confidence, 0.9, func(float64) float64 { return 0.5 }); err != nil {
		t.Fatal(err)
	}
	for c, want := range []float64{0.9*0.9 + 0.1*0.75, 0.5, 0.3} {
		near(t, fmt.Sprint("threshold ", c), float64(thresholds[c]), want, 1e-6)
	}
	// IAST's share of threshold 0.9, 0.2·0.9⁸ = 0.0861, of four pixels: rank 0.9139·3 = 2.742 from the least.
	thresholds = []float32{0.9, 0.9, 0.9}
	if err := FollowClasses(thresholds, labels, confidence, 0, func(v float64) float64 { return 0.2 * math.Pow(v, 8) }); err != nil {
		t.Fatal(err)
	}
	near(t, "IAST's threshold", float64(thresholds[0]), 0.8+0.1*0.74172, 1e-5)
	for want, bad := range map[string]func() error{
		"2 labels, 1 confidences": func() error { return FollowClasses(thresholds, []uint8{0, 0}, []float32{1}, 0, math.Abs) },
		"label 3 is neither":      func() error { return FollowClasses(thresholds, []uint8{3}, []float32{1}, 0, math.Abs) },
		"a confidence is NaN": func() error {
			return FollowClasses(thresholds, []uint8{0}, []float32{float32(math.NaN())}, 0, math.Abs)
		},
	} {
		if err := bad(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

// Of ten values, three at level 4, four at 2 and three at 0: the largest three begin at 4, the
// largest four at 2, all at 0; there is always one.
func TestTopShare(t *testing.T) {
	counts := []int64{3, 0, 4, 0, 3}
	for share, want := range map[float64]int{0: 4, 0.3: 4, 0.31: 2, 0.7: 2, 0.71: 0, 1: 0} {
		if got := TopShare(counts, share); got != want {
			t.Errorf("share %g: %d, want %d", share, got, want)
		}
	}
	if got := TopShare(make([]int64, 4), 0.5); got != 0 {
		t.Errorf("nothing: %d", got)
	}
}

// Two images of 3×1: the first rows are rim in one, the last one in the other.
func TestSelectedByHand(t *testing.T) {
	v := uint8(raster.Void)
	s := Selected{N: 2, H: 3, W: 1, Classes: 2, Labels: []uint8{1, v, 1, 0, v, 0}, Rims: []Rim{{Top: 1}, {Bottom: 1}}, Weight: 0.5, Unlabelled: 3}
	ids, weights, unlabelled := make([]uint8, 6), make([]float32, 6), make([]float32, 6)
	labelled, others, err := s.Encode(ids, weights, unlabelled)
	if err != nil || labelled != 2 || others != 2 {
		t.Fatalf("%d labelled, %d others, %v", labelled, others, err)
	}
	if !slices.Equal(ids, []uint8{1, 0, 1, 0, 0, 0}) || !slices.Equal(weights, []float32{0, 0, 0.25, 0.25, 0, 0}) || !slices.Equal(unlabelled, []float32{0, 1.5, 0, 0, 1.5, 0}) {
		t.Errorf("ids %v, weights %v, unlabelled %v", ids, weights, unlabelled)
	}
	s.Labels = slices.Repeat([]uint8{v}, 6)
	if labelled, _, err = s.Encode(ids, weights, nil); err != nil || labelled != 0 || slices.Max(weights) != 0 {
		t.Errorf("nothing labelled: %d, %v, %v", labelled, weights, err)
	}
	s.Labels[0] = 2
	if _, _, err = s.Encode(ids, weights, nil); err == nil || !strings.Contains(err.Error(), "label 2 is neither one of 2 classes") {
		t.Errorf("error %v", err)
	}
	if _, _, err = s.Encode(ids[:1], weights, nil); err == nil || !strings.Contains(err.Error(), "1 ids") {
		t.Errorf("error %v", err)
	}
}
