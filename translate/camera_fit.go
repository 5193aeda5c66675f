package translate

import (
	"context"
	"fmt"
	"math"

	"t2sda/internal/raster"
	"t2sda/internal/rng"
)

// CameraModel is what [FitCamera] found out: how to bring images of the source
// domain to the target's appearance. It is plain data, to be kept as JSON.
type CameraModel struct {
	Source *Appearance `json:"source"`
	Target *Appearance `json:"target"`
	// Result is the source as translated, but for the last correction.
	Result *Appearance `json:"result"`

	Balance  Balance      `json:"balance"`  // of light and colour from image to image
	Tone     []float64    `json:"tone"`     // [256] luma of the target for a luma of the source, balanced
	Chroma   [2]Affine    `json:"chroma"`   // of U and V, per luma of the source
	Blur     [2]Blur      `json:"blur"`     // of luma and of chroma
	Noise    [axes]Levels `json:"noise"`    // of Y, U and V to be added, per luma of the target; Fine of white noise, Coarse of 2×2 squares
	Vignette float64      `json:"vignette"` // v of the gain 1 − v·ρ² that the target has more than the source
}

// Affine is x → Gain·x + Shift, per luma level, [256] each.
type Affine struct {
	Gain  []float64 `json:"gain"`
	Shift []float64 `json:"shift"`
}

// CameraVersion grows with the meaning of a [CameraModel]: one kept from
// another version is to be fitted anew.
const CameraVersion = 5

// FitCamera compares the two domains' appearance. The source is read three
// times: as it is, then with the target's light, tone and colour for sharpness,
// then as it would be translated, to correct noise and tone by what is still off.
// Equal images give equal models.
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
	share, chroma := balanced(sources, &m.Balance)
	m.fitColours(share, chroma)
	if m.Result, err = m.translated(ctx, source, o); err != nil {
		return nil, err
	}
	for c := range m.Blur {
		m.Blur[c] = fitBlur(m.Result.details(c), m.Target.details(c))
	}
	m.Vignette = min(max(m.Target.Vignette-m.Result.Vignette, 0), mostVignette)
	m.fitNoise()
	if m.Result, err = m.translated(ctx, source, o); err != nil {
		return nil, err
	}
	m.fitNoise()
	m.Tone = corrected(m.Tone, newCurve(share), newCurve(m.Result.Luma), newCurve(m.Target.Luma))
	return m, nil
}

// translated measures the source through what is fitted so far.
func (m *CameraModel) translated(ctx context.Context, source Images, o MeasureOptions) (*Appearance, error) {
	c, err := NewCamera(m, CameraOptions{})
	if err != nil {
		return nil, err
	}
	images := Images{Len: source.Len, Load: func(ctx context.Context, i int) (*raster.Image, error) {
		s, err := source.Load(ctx, i)
		if err != nil {
			return nil, err
		}
		return c.Translate(rng.New(0, i, "translate/fit"), s, nil)
	}}
	a, err := Measure(ctx, images, o)
	if err != nil {
		return nil, fmt.Errorf("translated source: %w", err)
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

// between interpolates v at y.
func between(v []float64, y float64) float64 {
	y = min(max(y, 0), float64(len(v)-1))
	l := min(int(y), len(v)-2)
	return v[l] + (y-float64(l))*(v[l+1]-v[l])
}

// mostVignette bounds what a wrong measurement can do: the corners keep half
// of their light.
const mostVignette = 0.5

// largestGain bounds how much chroma's spread is changed: beyond, compression
// artefacts and rounding would be what is amplified.
const largestGain = 3

// fitColours sets the maps that give the source's pixels, of the given
// distribution of luma and moments of chroma, the target's: the tone and, per rank of luma, the
// chroma's mean and deviation (Reinhard et al., IEEE CG&A 2001), less what noise adds to it.
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

// fitNoise adds the noise that the target has more than the result so far, and
// takes off what it has less. Bands of luma that the result or the target hardly
// has stay as they are.
func (m *CameraModel) fitNoise() {
	for axis := range axes {
		n, r, t := &m.Noise[axis], m.Result.Noise[axis], m.Target.Noise[axis]
		if n.Fine == nil {
			*n = Levels{Fine: make([]float64, noiseBands), Coarse: make([]float64, noiseBands)}
		}
		for b := range noiseBands {
			if first := n.Fine[b] == 0 && n.Coarse[b] == 0; !first && !(r.known[b] && t.known[b]) {
				continue
			}
			// White noise is in both bands; what the coarse one has more is of squares.
			fine := t.Fine[b]*t.Fine[b] - r.Fine[b]*r.Fine[b]
			coarse := (t.Coarse[b]*t.Coarse[b] - r.Coarse[b]*r.Coarse[b] - fine) / squaresCoarse
			n.Fine[b] = math.Sqrt(max(n.Fine[b]*n.Fine[b]+fine, 0))
			n.Coarse[b] = math.Sqrt(max(n.Coarse[b]*n.Coarse[b]+coarse, 0))
		}
	}
}
