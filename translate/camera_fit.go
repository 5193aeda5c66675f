package translate

import (
	"context"
	"fmt"
	"math"

	"t2sda/internal/raster"
)

// CameraModel is what [FitCamera] found out: how to bring images of the source
// domain to the target's appearance. It is plain data, to be kept as JSON.
type CameraModel struct {
	Source *Appearance `json:"source"`
	Target *Appearance `json:"target"`
	// Mapped is the source after tone, colour and blur: what noise is added to.
	Mapped *Appearance `json:"mapped"`

	Balance  Balance      `json:"balance"`  // of light and colour from image to image
	Tone     []float64    `json:"tone"`     // [256] luma of the target for a luma of the source, balanced
	Chroma   [2]Affine    `json:"chroma"`   // of U and V, per luma of the source
	Blur     float64      `json:"blur"`     // deviation of a Gaussian, pixels
	Noise    [axes]Levels `json:"noise"`    // of Y, U and V to be added, per luma of the target; Fine is white, Coarse half as fine
	Vignette float64      `json:"vignette"` // v of the gain 1 − v·ρ² that the target has more than the source
}

// Affine is x → Gain·x + Shift, per luma level, [256] each.
type Affine struct {
	Gain  []float64 `json:"gain"`
	Shift []float64 `json:"shift"`
}

// CameraVersion grows with the meaning of a [CameraModel]: one kept from
// another version is to be fitted anew.
const CameraVersion = 2

// FitCamera compares the two domains' appearance. The source is read three
// times: as it is, then with the target's tone and colour for sharpness, then
// blurred too for noise. Nothing is drawn: equal images give equal models.
func FitCamera(ctx context.Context, source, target Images, o MeasureOptions) (*CameraModel, error) {
	m := &CameraModel{}
	var err error
	var sources, targets []*colours
	if m.Target, targets, err = measure(ctx, target, o); err != nil {
		return nil, fmt.Errorf("target: %w", err)
	}
	if m.Source, sources, err = measure(ctx, source, o); err != nil {
		return nil, fmt.Errorf("source: %w", err)
	}
	m.fitColours(m.Source.Luma, m.Source.Chroma)
	m.Balance = fitBalance(sources, targets, m)
	m.fitColours(balanced(sources, &m.Balance))
	if m.Mapped, err = m.measureMapped(ctx, source, o); err != nil {
		return nil, err
	}
	m.Blur = fitBlur(m.Mapped, m.Target)
	m.Vignette = min(max(m.Target.Vignette-m.Mapped.Vignette, 0), largestVignette)
	if m.Mapped, err = m.measureMapped(ctx, source, o); err != nil {
		return nil, err
	}
	m.fitNoise()
	m.Tone = limitSlope(compose(toneMap(newCurve(m.Mapped.Luma), newCurve(m.Target.Luma)), m.Tone), steepest)
	return m, nil
}

// measureMapped measures the source through what is fitted so far.
func (m *CameraModel) measureMapped(ctx context.Context, source Images, o MeasureOptions) (*Appearance, error) {
	c, err := NewCamera(m, CameraOptions{})
	if err != nil {
		return nil, err
	}
	mapped := Images{Len: source.Len, Load: func(ctx context.Context, i int) (*raster.Image, error) {
		s, err := source.Load(ctx, i)
		if err != nil {
			return nil, err
		}
		return c.apply(s, wholeOf(s), cameraDraw{exposure: 1, strength: 1}), nil
	}}
	a, err := Measure(ctx, mapped, o)
	if err != nil {
		return nil, fmt.Errorf("source with the target's tone: %w", err)
	}
	return a, nil
}

// balanced returns what the source's pixels are when each image is corrected.
func balanced(images []*colours, b *Balance) (share []float64, chroma [2]Moments) {
	var sum colours
	identity, straight := identityTone(), identityChroma()
	for _, c := range images {
		sum.balanced(c, b.correct(c.look(identity, straight)))
	}
	return sum.statistics()
}

// compose returns l → outer(inner(l)), linear between levels.
func compose(outer, inner []float64) []float64 {
	out := make([]float64, len(inner))
	for l, y := range inner {
		out[l] = between(outer, y)
	}
	return out
}

// between interpolates v at y.
func between(v []float64, y float64) float64 {
	y = min(max(y, 0), float64(len(v)-1))
	l := min(int(y), len(v)-2)
	return v[l] + (y-float64(l))*(v[l+1]-v[l])
}

// largestVignette bounds what a wrong measurement can do: the corners keep half
// of their light.
const largestVignette = 0.5

// largestGain bounds how much chroma's spread is changed: beyond, compression
// artefacts and rounding would be what is amplified.
const largestGain = 3

// fitColours sets the maps that give the source's pixels, of the given
// distribution of luma and moments of chroma, the target's: the tone and, per rank of luma, the chroma's mean and
// deviation (Reinhard et al., IEEE CG&A 2001), less what noise adds to it.
func (m *CameraModel) fitColours(share []float64, chroma [2]Moments) {
	source, target := newCurve(share), newCurve(m.Target.Luma)
	m.Tone = toneMap(source, target)
	for c := range m.Chroma {
		sm, sv := rankMoments(source, share, chroma[c])
		tm, tv := rankMoments(target, m.Target.Luma, m.Target.Chroma[c])
		a := Affine{Gain: make([]float64, levels), Shift: make([]float64, levels)}
		for l := range levels {
			rank := source.rank(float64(l))
			ns := atLevel(m.Source.Noise[1+c].Fine, float64(l))
			nt := atLevel(m.Target.Noise[1+c].Fine, m.Tone[l])
			s := math.Sqrt(max(atRank(&sv, rank)-ns*ns, 0))
			t := math.Sqrt(max(atRank(&tv, rank)-nt*nt, 0))
			gain := 1.0
			if s > 0.5 { // else the source is grey: there is nothing to spread
				gain = min(t/s, largestGain)
			}
			a.Gain[l], a.Shift[l] = gain, atRank(&tm, rank)-gain*atRank(&sm, rank)
		}
		a.Gain, a.Shift = smooth(a.Gain, toneSmoothing), smooth(a.Shift, toneSmoothing)
		m.Chroma[c] = a
	}
}

// atLevel interpolates between the middles of luma bands.
func atLevel(bands []float64, y float64) float64 {
	at := min(max((y+0.5)*noiseBands/levels-0.5, 0), noiseBands-1)
	k := min(int(at), noiseBands-2)
	return bands[k] + (at-float64(k))*(bands[k+1]-bands[k])
}

// noisePower returns the power that noise has at a frequency: the coarse band's
// below an eighth of a cycle per pixel, the fine one's above three eighths.
func (a *Appearance) noisePower(frequency float64) float64 {
	var fine, coarse float64
	for l, share := range a.Luma {
		f, c := atLevel(a.Noise[0].Fine, float64(l)), atLevel(a.Noise[0].Coarse, float64(l))
		fine += share * f * f
		coarse += share * c * c
	}
	w := min(max(4*(frequency-0.125), 0), 1)
	return coarse + w*(fine-coarse)
}

// fitBlur returns the deviation of the Gaussian whose transfer function comes
// closest to the ratio of the two spectra, noise taken off and up to a factor
// (contrast); 0 where the target is the sharper one. Frequencies at which
// either is mostly noise are left out.
func fitBlur(source, target *Appearance) float64 {
	const most, step, fewest = 5, 0.02, 4
	var frequency, ratio []float64
	for k := range spectrumBins {
		f := float64(k+1) / tileSide
		ns, nt := source.noisePower(f), target.noisePower(f)
		s, t := source.Spectrum[k]-ns, target.Spectrum[k]-nt
		if k == 0 || s <= ns || t <= nt || s <= 0 || t <= 0 {
			continue
		}
		frequency, ratio = append(frequency, f), append(ratio, math.Log(t/s))
	}
	if len(ratio) < fewest {
		return 0
	}
	best, sigma := math.Inf(1), 0.0
	for i := range int(most / step) {
		s := float64(i) * step
		if e := blurError(frequency, ratio, s); e < best-1e-12 {
			best, sigma = e, s
		}
	}
	return sigma
}

// blurError is the variance of log ratio − log |K|² over the frequencies.
func blurError(frequency, ratio []float64, sigma float64) float64 {
	half := gaussKernel(sigma, 1<<10)
	sum, sum2 := 0.0, 0.0
	for i, f := range frequency {
		d := ratio[i] - math.Log(max(transfer(half, f), 1e-12))
		sum += d
		sum2 += d * d
	}
	n := float64(len(frequency))
	return sum2/n - sum/n*(sum/n)
}

// transfer is the mean power response of the separable kernel at a frequency,
// over its direction.
func transfer(half []float32, frequency float64) float64 {
	const directions = 4
	sum := 0.0
	for d := range directions {
		angle := math.Pi / 4 * (float64(d) + 0.5) / directions
		r := response(half, frequency*math.Cos(angle)) * response(half, frequency*math.Sin(angle))
		sum += r * r / directions
	}
	return sum
}

func response(half []float32, frequency float64) float64 {
	sum := float64(half[0])
	for i := 1; i < len(half); i++ {
		sum += 2 * float64(half[i]) * math.Cos(2*math.Pi*frequency*float64(i))
	}
	return sum
}

// fitNoise sets the noise that the target has more than the mapped source.
func (m *CameraModel) fitNoise() {
	fine, coarse := grainEnergies()
	for axis := range axes {
		s, t := m.Mapped.Noise[axis], m.Target.Noise[axis]
		n := Levels{Fine: make([]float64, noiseBands), Coarse: make([]float64, noiseBands)}
		for b := range noiseBands {
			d1 := max(t.Fine[b]*t.Fine[b]-s.Fine[b]*s.Fine[b], 0)
			d2 := max(t.Coarse[b]*t.Coarse[b]-s.Coarse[b]*s.Coarse[b], 0)
			// Of a·white + b·coarse grain the bands hold a² + b²·fine and a² + b²·coarse.
			b2 := max((d2-d1)/(coarse-fine), 0)
			n.Fine[b], n.Coarse[b] = math.Sqrt(max(d1-b2*fine, 0)), math.Sqrt(b2)
		}
		m.Noise[axis] = n
	}
}
