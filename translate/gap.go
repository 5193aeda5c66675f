package translate

import "math"

// Gap is how far two domains' appearances are apart.
type Gap struct {
	Tone     float64 // grey levels: mean distance of the luma of equal ranks (Wasserstein's)
	Spectrum float64 // decibels: mean distance of the luma's power over frequency
	Noise    float64 // grey levels: mean distance of luma's noise over the target's pixels
}

// leastPower stands in for a power of 0, which has no decibels; rounding to whole
// grey levels alone makes 1/12.
const leastPower = 1e-3

// Gap measures how far the appearance is from the target's.
func (a *Appearance) Gap(target *Appearance) Gap {
	var g Gap
	below := 0.0 // share of a's pixels that are darker, less the target's
	for l := range a.Luma {
		below += a.Luma[l] - target.Luma[l]
		g.Tone += math.Abs(below)
		have, want := atLevel(a.Noise[0].Fine, float64(l)), atLevel(target.Noise[0].Fine, float64(l))
		g.Noise += target.Luma[l] * math.Abs(have-want)
	}
	for k := range a.Spectrum[0] {
		g.Spectrum += math.Abs(a.Decibels(k)-target.Decibels(k)) / float64(len(a.Spectrum[0]))
	}
	return g
}

// Decibels returns the power of luma at frequency k of the spectrum over 1 grey
// level².
func (a *Appearance) Decibels(k int) float64 {
	return 10 * math.Log10(max(a.Spectrum[0][k], leastPower))
}
