package translate

import "math"

// Balance says how images of a domain may differ from each other in light and
// colour as a whole. A game's weather makes larger differences than a camera
// with automatic exposure and white balance sees: then every source image is
// drawn towards the mean. In the other case differences are drawn at random.
type Balance struct {
	Light Deviation    `json:"light"` // of the log of the mean luma
	Cast  [2]Deviation `json:"cast"`  // of the mean of U and of V over the mean of luma
}

// Deviation is of one number from its mean over a domain's images.
type Deviation struct {
	Mean float64 `json:"mean"` // over the source
	Less float64 `json:"less"` // share of a source image's deviation that is taken off, 0–1
	Add  float64 `json:"add"`  // standard deviation of what is added at random
}

// fewestImages is what deviations between images are measured from at least.
const fewestImages = 8

// newDeviation compares the source's deviation after the maps (mapped) with the
// target's. mean is the source's before the maps.
func newDeviation(mean float64, mapped, target []float64) Deviation {
	d := Deviation{Mean: mean}
	if min(len(mapped), len(target)) < fewestImages {
		return d
	}
	_, s := meanDeviation(mapped)
	_, t := meanDeviation(target)
	if s > t {
		d.Less = 1 - t/s
	} else {
		d.Add = math.Sqrt(t*t - s*s)
	}
	return d
}

func meanDeviation(v []float64) (mean, deviation float64) {
	for _, x := range v {
		mean += x / float64(len(v))
	}
	for _, x := range v {
		deviation += (x - mean) * (x - mean) / float64(len(v))
	}
	return mean, math.Sqrt(deviation)
}

// correct returns what brings an image of the source closer to the mean.
func (b *Balance) correct(l look) correction {
	const most = 2 // factor of light
	gain := math.Exp(-b.Light.Less * (l.light - b.Light.Mean))
	c := correction{gain: min(max(gain, 1.0/most), most)}
	for k := range c.cast {
		c.cast[k] = b.Cast[k].Less * (l.cast[k] - b.Cast[k].Mean)
	}
	return c
}

// fitBalance compares how images differ within each domain, the source's under
// the tone and colour maps m.
func fitBalance(source, target []*colours, m *CameraModel) Balance {
	raw, mapped, wanted := looks(source, identityTone(), identityChroma()), looks(source, m.Tone, m.Chroma), looks(target, identityTone(), identityChroma())
	number := func(ls []look, of func(look) float64) []float64 {
		out := make([]float64, len(ls))
		for i, l := range ls {
			out[i] = of(l)
		}
		return out
	}
	fit := func(of func(look) float64) Deviation {
		mean, _ := meanDeviation(number(raw, of))
		return newDeviation(mean, number(mapped, of), number(wanted, of))
	}
	return Balance{
		Light: fit(func(l look) float64 { return l.light }),
		Cast: [2]Deviation{
			fit(func(l look) float64 { return l.cast[0] }),
			fit(func(l look) float64 { return l.cast[1] }),
		},
	}
}

func looks(images []*colours, tone []float64, chroma [2]Affine) []look {
	out := make([]look, len(images))
	for i, c := range images {
		out[i] = c.look(tone, chroma)
	}
	return out
}

func identityTone() []float64 {
	v := make([]float64, levels)
	for l := range v {
		v[l] = float64(l)
	}
	return v
}

func identityChroma() [2]Affine {
	var a [2]Affine
	for k := range a {
		a[k] = Affine{Gain: make([]float64, levels), Shift: make([]float64, levels)}
		for l := range levels {
			a[k].Gain[l] = 1
		}
	}
	return a
}
