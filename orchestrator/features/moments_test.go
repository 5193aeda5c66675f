package features

import (
	"math"
	"slices"
	"strings"
	"testing"

	"t2sda/internal/raster"
)

// gathered returns the moments of one image, whose features x are given position
// by position.
func gathered(classes int, x [][]float32, labels []uint8) *Moments {
	m := NewMoments(classes, len(x[0]))
	var planes []float32 // [D,n]
	for d := range x[0] {
		for _, v := range x {
			planes = append(planes, v[d])
		}
	}
	m.Add(planes, labels)
	return m
}

// compare holds values against others to 1e-12, NaN being equal to NaN.
func compare(t *testing.T, what string, have, want []float64) {
	t.Helper()
	equal := func(a, b float64) bool {
		return a == b || math.IsNaN(a) && math.IsNaN(b) || math.Abs(a-b) <= 1e-12
	}
	if !slices.EqualFunc(have, want, equal) {
		t.Errorf("%s: %v, want %v", what, have, want)
	}
}

// TestByHand: two classes in the plane, a third one absent, one position void.
//
//	S_0 = {(2,0), (4,0)}: μ_0 = (3,0), mean ‖x − μ_0‖² = 1
//	S_1 = {(0,3), (0,5)}: μ_1 = (0,4), mean ‖x − μ_1‖² = 1; ‖μ_0 − μ_1‖² = 25
//
// so CCD = 1/25 for both. In the other domain μ_0 = (3,3), at 45° to (3,0), and
// μ_1 = (0,1).
func TestByHand(t *testing.T) {
	nan := math.NaN()
	m := gathered(3, [][]float32{{2, 0}, {0, 3}, {9, 9}, {4, 0}, {0, 5}}, []uint8{0, 1, raster.Void, 0, 1})
	compare(t, "CCD", m.CCD(), []float64{1. / 25, 1. / 25, nan})
	if !slices.Equal(m.Count, []int64{2, 2, 0}) || m.Means()[2] != nil {
		t.Errorf("counts %v, means %v", m.Count, m.Means())
	}
	other := gathered(3, [][]float32{{3, 3}, {0, 1}, {1, 1}}, []uint8{0, 1, 2})
	compare(t, "similarity", Similarity(m.Means(), other.Means()), []float64{1 / math.Sqrt2, 1, nan})
}

// TestOfLittle: what has no number, and what is an error.
func TestOfLittle(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	x := [][]float32{{1, 0}, {2, 0}}
	alone := gathered(2, x, []uint8{1, 1})
	compare(t, "CCD of a single class", alone.CCD(), []float64{nan, nan})

	void := gathered(2, x, []uint8{raster.Void, raster.Void})
	compare(t, "CCD of void", void.CCD(), []float64{nan, nan})
	compare(t, "similarity to void", Similarity(alone.Means(), void.Means()), []float64{nan, nan})

	same := gathered(2, [][]float32{{1, 0}, {3, 0}, {2, 0}}, []uint8{0, 0, 1})
	compare(t, "CCD of one mean", same.CCD(), []float64{inf, nan})

	if err := void.Check([]string{"road", "car"}); err == nil || !strings.Contains(err.Error(), "void everywhere") {
		t.Errorf("have %v", err)
	}
	if err := gathered(2, [][]float32{{1, 0}, {float32(inf), 0}}, []uint8{0, 1}).Check([]string{"road", "car"}); err == nil || err.Error() != "features of class car are not finite" {
		t.Errorf("have %v", err)
	}
}
