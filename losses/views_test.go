package losses

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// A class that was seen now for the first time takes the mean; one that was not stays about
// where it began; the others move by a quarter.
func TestFollowPrior(t *testing.T) {
	prior := []float32{0.001, 0.001, 0.5}
	FollowPrior(prior, []float64{0.3, 0, 0.7}, 0.75, 0.001)
	for c, want := range []float64{0.3, 0.00075, 0.55} {
		near(t, fmt.Sprint("class ", c), float64(prior[c]), want, 1e-7)
	}
}

// Of class 0, as frequent as β, the threshold is 0.8·(1 − 1/e) of its largest confidence; of
// class 1, the most frequent one, 0.8 of it; of class 2, next to never predicted, the least.
func TestDiscountByHand(t *testing.T) {
	d := Discount{Upper: 0.8, Lower: 0.2, Beta: 0.01, Focal: 2}
	prior := []float32{0.01, 0.5, 1e-9}
	labels, confidence := []uint8{0, 0, 1, 1, 2, 2}, []float32{0.9, 0.45, 0.8, 0.64, 0.3, 0.19}
	thresholds, err := d.Thresholds(prior, labels, confidence, 2, Rim{})
	if err != nil {
		t.Fatal(err)
	}
	for c, want := range []float64{0.9 * 0.8 * (1 - 1/math.E), 0.64, 0.2} {
		near(t, fmt.Sprint("threshold ", c), thresholds[c], want, 1e-6)
	}
	ids, weights := make([]uint8, 6), make([]float32, 6)
	// Three rows of two; the first is rim.
	n, err := d.Encode(ids, weights, labels, confidence, prior, 2, Rim{Top: 1}, 10)
	if err != nil || n != 2 || !slices.Equal(ids, []uint8{0, 0, 1, 1, 2, 2}) {
		t.Errorf("%d with ids %v, %v", n, ids, err)
	}
	for i, want := range []float64{0, 0, 10 * 0.8 * 0.25, 0, 10 * 0.3, 0} {
		near(t, fmt.Sprint("weight ", i), float64(weights[i]), want, 1e-6)
	}
	for want, bad := range map[string]func() error{
		"6 labels, 1 confidences": func() error { _, err := d.Thresholds(prior, labels, confidence[:1], 2, Rim{}); return err },
		"label 2 is neither":      func() error { _, err := d.Thresholds(prior[:2], labels, confidence, 2, Rim{}); return err },
		"in rows of 4":            func() error { _, err := d.Encode(ids, weights, labels, confidence, prior, 4, Rim{}, 1); return err },
	} {
		if err := bad(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

// A pixel that is surer than all others, but in the rim, does not raise the threshold of its class.
func TestDiscountOfRims(t *testing.T) {
	d := Discount{Upper: 0.8, Lower: 0.2, Beta: 0.01, Focal: 2}
	labels, confidence := []uint8{0, 0, 0, 0}, []float32{1, 0.9, 0.6, 0.5}
	ids, weights := make([]uint8, 4), make([]float32, 4)
	if n, err := d.Encode(ids, weights, labels, confidence, []float32{0.5}, 2, Rim{Top: 1}, 1); err != nil || n != 2 {
		t.Errorf("%d of two rows of two are labelled, %v", n, err)
	}
	thresholds, err := d.Thresholds([]float32{0.5}, labels, confidence, 2, Rim{Top: 1})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "threshold", thresholds[0], 0.8*0.6, 1e-6)
}

// A share of slightly more than 1, which float32 sums to, weighs nothing at a focal that is no
// whole number, and is no NaN.
func TestDiscountOfTheOnlyClass(t *testing.T) {
	d, weights := Discount{Upper: 0.8, Lower: 0.2, Beta: 0.01, Focal: 2.5}, []float32{1}
	if _, err := d.Encode(make([]uint8, 1), weights, []uint8{0}, []float32{0.9}, []float32{1.0000001}, 1, Rim{}, 1); err != nil || weights[0] != 0 {
		t.Errorf("weight %g, %v", weights[0], err)
	}
}
