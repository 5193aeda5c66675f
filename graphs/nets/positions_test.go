package nets

import (
	"fmt"
	"math"
	"testing"
)

// TestPositionMatrices: positions that are all the same stay so at every size, and single rows are
// what the formulas give by hand.
func TestPositionMatrices(t *testing.T) {
	for name, matrix := range map[string]func(from, to int) []float32{"offset": offsetCubic, "smooth": smoothCubic} {
		for _, to := range []int{1, 3, 16, 37, 40, 74} {
			const from = 37
			m := matrix(from, to)
			for i := range to {
				sum := 0.0
				for _, v := range m[i*from : (i+1)*from] {
					sum += float64(v)
				}
				if math.Abs(sum-1) > 1e-6 {
					t.Errorf("%s, %d to %d: row %d sums to %g", name, from, to, i, sum)
				}
			}
		}
	}
	// From 4 to 8 by the factor 8.1/4: element 3 lies at 3.5/2.025 − 0.5 = 1.2284, between taps 0 to 3.
	m, x := offsetCubic(4, 8), 3.5/2.025-0.5-1
	for k, d := range []float64{1 + x, x, 1 - x, 2 - x} {
		if got := float64(m[3*4+k]); math.Abs(got-cubic(d, -0.75)) > 1e-7 {
			t.Errorf("tap %d is %g", k, got)
		}
	}
	// To half with antialiasing the kernel is twice as wide. The centre of element 0 is 1, so taps 0 to
	// 4, whose centres are 0.5 to 4.5, lie at 0.25, 0.25, 0.75, 1.25 and 1.75 of its width.
	m = smoothCubic(8, 4)
	weights, sum := []float64{}, 0.0
	for _, d := range []float64{0.25, 0.25, 0.75, 1.25, 1.75} {
		weights = append(weights, cubic(d, -0.5))
	}
	for _, w := range weights {
		sum += w
	}
	for k, w := range weights {
		if got := float64(m[k]); math.Abs(got-w/sum) > 1e-6 {
			t.Errorf("tap %d is %g, want %g of %v", k, got, w/sum, m[:8])
		}
	}
}

// TestCubicKernel: 1 at 0, 0 at all other whole numbers, and continuous.
func TestCubicKernel(t *testing.T) {
	for _, a := range []float64{-0.75, -0.5} {
		for x, want := range map[float64]float64{0: 1, 1: 0, -1: 0, 2: 0, 3: 0} {
			if got := cubic(x, a); math.Abs(got-want) > 1e-15 {
				t.Errorf("a %g: %g at %g", a, got, x)
			}
		}
		if below, above := cubic(1-1e-9, a), cubic(1+1e-9, a); math.Abs(below-above) > 1e-8 {
			t.Errorf("a %g: a step from %g to %g", a, below, above)
		}
	}
}

// TestDepths: levels are the published depths.
func TestDepths(t *testing.T) {
	for encoder, want := range map[string]string{"dinov2_vits14": "[3 6 9 12]", "dinov2_vitb14_reg": "[3 6 9 12]", "dinov2_vitl14": "[5 12 18 24]", "dinov2_nano": "[1 2 3 4]"} {
		if got := fmt.Sprint(encoders[encoder].encoder.(dinov2).depths()); got != want {
			t.Errorf("%s: %s", encoder, got)
		}
	}
}
