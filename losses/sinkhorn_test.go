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

// Four positions, of which all are nearest to class 0, one less than the others: by a prior of ¾
// and ¼, that one is of class 1. Each position sums to 1, and classes to 4 times the prior.
func TestSinkhornBalances(t *testing.T) {
	scores := []float32{0.9, 0.1, 0.9, 0.1, 0.9, 0.1, 0.3, 0.2}
	q, err := Sinkhorn(scores, []float64{0.75, 0.25}, 0.05, 60)
	if err != nil {
		t.Fatal(err)
	}
	sums := make([]float64, 2)
	for i, v := range q {
		sums[i%2] += v
		near(t, fmt.Sprint("position ", i/2), q[i/2*2]+q[i/2*2+1], 1, 1e-12)
	}
	near(t, "class 0", sums[0], 3, 1e-2)
	if q[7] < 0.99 || q[1] > 0.01 {
		t.Errorf("assignments %v", q)
	}
}

// At the published three iterations, and a prior of 99 to 1, of 400 positions that are all nearer
// to class 0, the rare class has the four that are least so, and little of the others.
func TestSinkhornOfARareClass(t *testing.T) {
	const n = 400
	scores := make([]float32, 2*n)
	for i := range n {
		scores[2*i], scores[2*i+1] = 0.9, 0.1
		if i < 4 {
			scores[2*i], scores[2*i+1] = 0.6, 0.5
		}
	}
	q, err := Sinkhorn(scores, []float64{0.99, 0.01}, 0.05, 3)
	if err != nil {
		t.Fatal(err)
	}
	rare := 0.0
	for i := range n {
		near(t, fmt.Sprint("position ", i), q[2*i]+q[2*i+1], 1, 1e-12)
		if rare += q[2*i+1]; i < 4 != (q[2*i+1] > 0.5) {
			t.Errorf("position %d is %g of the rare class", i, q[2*i+1])
		}
	}
	near(t, "the rare class", rare, 4, 0.4)
}

// One iteration by hand: of e^(s/ε) = 1, 2, 3, 6, columns are 4 and 8; times ½ they are ⅛, ⅛, ⅜,
// ⅜, that is ½ each. A class of prior 0 has nothing.
func TestSinkhornByHand(t *testing.T) {
	scores := []float32{0, float32(math.Log(2)), float32(math.Log(3)), float32(math.Log(6))}
	q, err := Sinkhorn(scores, []float64{0.5, 0.5}, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range q {
		near(t, fmt.Sprint("assignment ", i), v, 0.5, 1e-6)
	}
	if q, err = Sinkhorn(scores, []float64{0, 1}, 1, 3); err != nil || q[0] != 0 || q[1] != 1 {
		t.Errorf("assignments %v, %v", q, err)
	}
	for want, bad := range map[string][]float64{"4 scores for 3 classes": {1, 1, 1}, "the prior is 0": {0, 0}} {
		if _, err := Sinkhorn(scores, bad, 1, 1); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

func assigned(in map[string]*graphs.Value) *graphs.Value {
	return SoftCrossEntropy(PrototypeCosines(in["features"], in["prototypes"], in["absent"], 0.5), in["targets"], in["positions"])
}

// Features at right angles to one prototype and along another, of τ = ½; targets of ¼ and ¾.
func TestSelfLabelByHand(t *testing.T) {
	g, err := graphs.Build("hand", func(g *graphs.Graph) {
		g.Output("loss", assigned(map[string]*graphs.Value{
			"features": g.Param("features", 1, 2, 1, 1), "prototypes": g.Floats([]float32{0, 1, 1, 0, 1, 0}, 3, 2), "absent": g.Floats([]float32{0, 0, 1e4}, 3),
			"targets": g.Floats([]float32{0.25, 0.75, 0}, 1, 3, 1, 1), "positions": g.Floats([]float32{3}, 1, 1, 1, 1),
		}))
	})
	if err != nil {
		t.Fatal(err)
	}
	out := graphtest.Run(g, map[string]graphtest.Array{"features": {Shape: graphs.Shape{1, 2, 1, 1}, Data: []float64{0, 7}}})
	sum := math.Log(1 + math.Exp(2))
	near(t, "loss", out["loss"].Data[0], 3*(0.25*(sum-2)+0.75*sum), 1e-6)
}

func TestSelfLabelGradient(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 15))
	in := map[string]graphtest.Array{
		"features": graphtest.Uniform(r, -2, 2, 2, 4, 2, 3), "prototypes": graphtest.Uniform(r, -1, 1, 3, 4), "absent": {Shape: graphs.Shape{3}, Data: []float64{0, 1e4, 0}},
		"targets": graphtest.Uniform(r, 0, 1, 2, 3, 2, 3), "positions": graphtest.Uniform(r, 0, 1, 2, 1, 2, 3),
	}
	graphtest.CheckGradients(t, func(_ *graphs.Graph, in map[string]*graphs.Value) *graphs.Value { return assigned(in) }, in, []string{"features"}, 1e-6)
}

func TestSelfLabelRefusesOtherShapes(t *testing.T) {
	_, err := graphs.Build("wrong", func(g *graphs.Graph) {
		SoftCrossEntropy(g.Param("l", 1, 3, 2, 2), g.Param("t", 1, 3, 2, 2), g.Param("w", 1, 2, 2))
	})
	if err == nil || !strings.Contains(err.Error(), "weights [N,1,h,w]") {
		t.Errorf("error %v", err)
	}
}
