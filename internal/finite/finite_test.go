package finite

import (
	"math"
	"testing"
)

func TestAll(t *testing.T) {
	if !All([]float32{0, -1, math.MaxFloat32, math.SmallestNonzeroFloat32}) || !All([]float64(nil)) {
		t.Error("finite numbers were refused")
	}
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		if Is(bad) || Is(float32(bad)) || All([]float32{0, float32(bad)}) {
			t.Errorf("%v passed", bad)
		}
	}
}
