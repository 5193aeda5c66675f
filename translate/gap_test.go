package translate

import (
	"math"
	"testing"
)

// TestGap: by hand. All pixels have luma 100 in one domain; in the other one,
// half have 110 and half have 130: ranks are 10 and 30 apart, 20 on average. The
// noise is 3 everywhere against 1, the power 100 times as high everywhere.
func TestGap(t *testing.T) {
	flat := func(v float64, n int) []float64 {
		out := make([]float64, n)
		for i := range out {
			out[i] = v
		}
		return out
	}
	a := &Appearance{Luma: make([]float64, levels), Spectrum: [2][]float64{flat(400, spectrumBins)}}
	b := &Appearance{Luma: make([]float64, levels), Spectrum: [2][]float64{flat(4, spectrumBins)}}
	a.Luma[100], b.Luma[110], b.Luma[130] = 1, 0.5, 0.5
	a.Noise[0].Fine, b.Noise[0].Fine = flat(3, noiseBands), flat(1, noiseBands)
	for _, g := range []Gap{a.Gap(b), b.Gap(a)} {
		if math.Abs(g.Tone-20) > 1e-9 || math.Abs(g.Spectrum-20) > 1e-9 || math.Abs(g.Noise-2) > 1e-9 {
			t.Errorf("have %+v, want 20 levels, 20 dB, 2 levels", g)
		}
	}
	if g := a.Gap(a); g != (Gap{}) {
		t.Errorf("an appearance is %+v from itself", g)
	}
	a.Spectrum[0][0] = 0
	if d := a.Decibels(0); math.Abs(d+30) > 1e-9 {
		t.Errorf("no power has %v dB", d)
	}
}
