package losses

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// drw is the weights of one part of a batch.
func drw(weights []float64, pseudo []uint8, confidence []float32, beta float64) error {
	var c Confidences
	if err := c.Add(pseudo, confidence); err != nil {
		return err
	}
	return c.DRW(weights, beta)
}

func TestDRWByHand(t *testing.T) {
	// Means: class 0 0.8, class 1 0.95, class 3 0.2; class 2 is absent.
	pseudo := []uint8{0, 0, 1, 1, 3, 255}
	confidence := []float32{0.75, 0.85, 0.9, 1, 0.2, 0.01}
	weights := make([]float64, 4)
	if err := drw(weights, pseudo, confidence, 0.5); err != nil {
		t.Fatal(err)
	}
	w0, w1, w3 := 0.5, 0.25, 1.0 // √(0.2/0.8), √(0.05/0.8), √(0.8/0.8)
	for c, want := range []float64{w0, w1, (w0 + w1 + w3) / 3, w3} {
		near(t, "weight", weights[c], want, 1e-6)
	}
}

func TestDRWWithoutContrast(t *testing.T) {
	for name, k := range map[string]struct {
		pseudo     []uint8
		confidence []float32
		beta       float64
	}{
		"no class":      {[]uint8{255}, []float32{0.5}, 0.5},
		"all certain":   {[]uint8{0, 1}, []float32{1, 1.0000001}, 0.5},
		"β of 0":        {[]uint8{0, 1}, []float32{0.5, 1}, 0},
		"only class":    {[]uint8{1}, []float32{0.3}, 0.5},
		"nothing given": {nil, nil, 0.5},
	} {
		weights := make([]float64, 3)
		if err := drw(weights, k.pseudo, k.confidence, k.beta); err != nil {
			t.Fatal(err)
		}
		for c, w := range weights {
			if w != 1 {
				t.Errorf("%s: class %d weighs %g", name, c, w)
			}
		}
	}
}

func TestDRWFollowsPermutation(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	perm := []uint8{3, 0, 4, 1, 2}
	pseudo, moved, confidence := make([]uint8, 50), make([]uint8, 50), make([]float32, 50)
	for i := range pseudo {
		pseudo[i] = uint8(r.IntN(4)) // class 4 is absent
		moved[i], confidence[i] = perm[pseudo[i]], float32(r.Float64())
	}
	a, b := make([]float64, 5), make([]float64, 5)
	if err := drw(a, pseudo, confidence, 0.7); err != nil {
		t.Fatal(err)
	}
	if err := drw(b, moved, confidence, 0.7); err != nil {
		t.Fatal(err)
	}
	for c := range a {
		near(t, "weight", b[perm[c]], a[c], 1e-12)
	}
}

func TestDRWErrors(t *testing.T) {
	for want, err := range map[string]error{
		"label 2":  drw(make([]float64, 2), []uint8{2}, []float32{1}, 0.5),
		"negative": drw(make([]float64, 2), []uint8{1}, []float32{1}, math.NaN()),
		"1 pseudo": drw(make([]float64, 2), []uint8{1}, nil, 0.5),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v", want, err)
		}
	}
}
