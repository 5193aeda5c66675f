package graphtest

import (
	"math"
	"testing"

	"t2sda/graphs"
)

// TestRound: to nearest, halves to even, beyond the largest to infinity, small ones in steps.
func TestRound(t *testing.T) {
	inf := math.Inf(1)
	for _, k := range []struct {
		dt      graphs.DType
		x, want float64
	}{
		{graphs.BFloat16, 1, 1},
		{graphs.BFloat16, 1 + 0x1p-8, 1},              // half a step
		{graphs.BFloat16, 1 + 3*0x1p-8, 1 + 0x1p-6},   // one and a half
		{graphs.BFloat16, 1 + 0x1.001p-8, 1 + 0x1p-7}, // a little more than half
		{graphs.BFloat16, -255.5, -256},
		{graphs.BFloat16, 0x1.ffp127, inf},
		{graphs.BFloat16, 0x1.fefp127, 0x1.fep127},
		{graphs.BFloat16, 0x1p-134, 0},
		{graphs.Float16, 2049, 2048},
		{graphs.Float16, 2051, 2052},
		{graphs.Float16, 65519.99, 65504},
		{graphs.Float16, -65520, -inf},
		{graphs.Float16, 0x1p-25, 0},
		{graphs.Float16, 3 * 0x1p-25, 0x1p-23},
		{graphs.Float16, 0x1.4p-24, 0x1p-24},
		{graphs.Float16, inf, inf},
		{graphs.Float32, math.Pi, math.Pi},
	} {
		if have := Round(k.dt, k.x); have != k.want {
			t.Errorf("%v: %x is rounded to %x, want %x", k.dt, k.x, have, k.want)
		}
	}
	if x := Round(graphs.Float16, math.NaN()); !math.IsNaN(x) {
		t.Errorf("NaN is rounded to %g", x)
	}
}
