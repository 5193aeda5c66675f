package translate

import "math"

// Blur is a point spread: a Gaussian, and a share of the light that is
// scattered more widely (glare of the lens, haze). It is the Gaussian of
// deviation Sigma, a share Glare of whose light goes through one of deviation
// Wide too.
type Blur struct {
	Sigma float64 `json:"sigma"` // pixels
	Glare float64 `json:"glare"` // 0–1
	Wide  float64 `json:"wide"`  // pixels
}

// Bounds of what a wrong measurement can do.
const (
	mostSigma = 4   // pixels
	mostGlare = 0.3 // share of the light
)

// glareWidths are the choices of Blur.Wide, multiples of each other: so are the
// cells then.
var glareWidths = [...]float64{2.5, 5, 10}

// details are a spectrum's frequencies, powers without noise, and the noise's.
type details struct{ power, noise [spectrumBins]float64 }

// details returns the spectrum of luma (0) or of chroma (1), noise taken off.
func (a *Appearance) details(part int) *details {
	d := &details{}
	first, last := 0, 0
	if part == 1 {
		first, last = 1, 2
	}
	var fine, coarse float64
	for axis := first; axis <= last; axis++ {
		for l, share := range a.Luma {
			f, c := atLevel(a.Noise[axis].Fine, float64(l)), atLevel(a.Noise[axis].Coarse, float64(l))
			fine += share * f * f
			coarse += share * c * c
		}
	}
	for k := range d.power {
		// The coarse band's noise below an eighth of a cycle per pixel, the fine
		// one's above three eighths.
		w := min(max(4*(binFrequency(k)-0.125), 0), 1)
		d.noise[k] = coarse + w*(fine-coarse)
		d.power[k] = a.Spectrum[part][k] - d.noise[k]
	}
	return d
}

// binFrequency is of a ring of the spectrum, cycles per pixel.
func binFrequency(k int) float64 { return float64(k+1) / tileSide }

// fitBlur returns the point spread whose transfer function comes closest to the
// ratio of the two spectra; none where the target is the sharper one.
// Frequencies at which either is mostly noise are left out. A factor by which
// the target has more contrast at all frequencies is left as it is: the source
// cannot be sharpened.
func fitBlur(source, target *details) Blur {
	var frequency, ratio []float64
	for k := 1; k < spectrumBins; k++ { // the lowest is of the scenes, not of sharpness
		s, t := source.power[k], target.power[k]
		if s > source.noise[k] && t > target.noise[k] && s > 0 && t > 0 {
			frequency, ratio = append(frequency, binFrequency(k)), append(ratio, math.Log(t/s))
		}
	}
	const fewest = 4
	if len(ratio) < fewest {
		return Blur{}
	}
	const step = 50 // of both, per unit
	var best Blur
	least := blurError(ratio, transfers(gaussKernel(0), frequency), nil, 0)
	for i := range mostSigma*step + 1 {
		sigma := float64(i) / step
		narrow := transfers(gaussKernel(sigma), frequency)
		for _, wide := range glareWidths {
			scattered := transfers(gaussKernel(wide), frequency)
			for j := range int(mostGlare*step) + 1 {
				glare := float64(j) / step
				if e := blurError(ratio, narrow, scattered, glare); e < least*(1-1e-9) {
					least, best = e, Blur{Sigma: sigma, Glare: glare, Wide: wide}
				}
			}
		}
	}
	return best
}

// blurError is the mean square of log ratio − log |K|² − a, a ≥ 0 the factor
// that is left as it is.
func blurError(ratio, narrow, scattered []float64, glare float64) float64 {
	sum, sum2 := 0.0, 0.0
	for i, r := range ratio {
		t := narrow[i]
		if glare > 0 {
			t *= 1 - glare + glare*scattered[i]
		}
		d := r - 2*math.Log(max(math.Abs(t), 1e-6))
		sum += d
		sum2 += d * d
	}
	n := float64(len(ratio))
	a := max(sum/n, 0)
	return sum2/n - 2*a*sum/n + a*a
}

// transfers returns the response of the separable kernel at each frequency, the
// root of its mean power over the directions.
func transfers(half []float32, frequency []float64) []float64 {
	const directions = 4
	out := make([]float64, len(frequency))
	for i, f := range frequency {
		for d := range directions {
			angle := math.Pi / 4 * (float64(d) + 0.5) / directions
			r := response(half, f*math.Cos(angle)) * response(half, f*math.Sin(angle))
			out[i] += r * r / directions
		}
		out[i] = math.Sqrt(out[i])
	}
	return out
}

func response(half []float32, frequency float64) float64 {
	sum := float64(half[0])
	for i := 1; i < len(half); i++ {
		sum += 2 * float64(half[i]) * math.Cos(2*math.Pi*frequency*float64(i))
	}
	return sum
}

// gaussRadius is where the kernel of gaussKernel ends; a blur of less than a
// seventh of a pixel changes nothing.
func gaussRadius(sigma float64) int {
	if sigma < 0.15 {
		return 0
	}
	return int(math.Ceil(3 * sigma))
}

// gaussKernel returns one half of a Gaussian's weights, the centre first.
func gaussKernel(sigma float64) []float32 {
	weights := make([]float64, gaussRadius(sigma)+1)
	sum := -1.0
	for i := range weights {
		weights[i] = 1
		if i > 0 {
			weights[i] = math.Exp(-float64(i*i) / (2 * sigma * sigma))
		}
		sum += 2 * weights[i]
	}
	out := make([]float32, len(weights))
	for i, w := range weights {
		out[i] = float32(w / sum)
	}
	return out
}
