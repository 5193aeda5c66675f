package half

import (
	"math"
	"testing"
)

func TestBits(t *testing.T) {
	for _, tt := range []struct {
		x    float64
		want uint16
	}{
		{0, 0},
		{1, 0x3c00},
		{-2, 0xc000},
		{65504, 0x7bff},
		{65519, 0x7bff},
		{65520, 0x7c00},
		{-1e9, 0xfc00},
		{math.Ldexp(1, -24), 1},
		{math.Ldexp(1, -25), 0},
		{math.Ldexp(3, -25), 2},
		{math.Ldexp(1, -14), 0x0400},
		{1 + math.Ldexp(1, -11), 0x3c00},
		{1 + math.Ldexp(3, -11), 0x3c02},
		{math.Inf(1), 0x7c00},
	} {
		if got := Bits(float32(tt.x)); got != tt.want {
			t.Errorf("%v becomes %#04x, want %#04x", tt.x, got, tt.want)
		}
	}
	if got := Bits(float32(math.NaN())); got&0x7c00 != 0x7c00 || got&0x3ff == 0 {
		t.Errorf("NaN becomes %#04x", got)
	}
}
