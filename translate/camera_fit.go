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
const CameraVersion = 3

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
	for c := range m.Blur {
		m.Blur[c] = fitBlur(m.Mapped.details(c), m.Target.details(c))
	}
	m.Vignette = min(max(m.Target.Vignette-m.Mapped.Vignette, 0), largestVignette)
	if m.Mapped, err = m.measureMapped(ctx, source, o); err != nil {
		return nil, err
	}
	m.fitNoise()
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

// fitNoise sets the noise that the target has more than the mapped source.
func (m *CameraModel) fitNoise() {
	for axis := range axes {
		s, t := m.Mapped.Noise[axis], m.Target.Noise[axis]
		n := Levels{Fine: make([]float64, noiseBands), Coarse: make([]float64, noiseBands)}
		for b := range noiseBands {
			fine := max(t.Fine[b]*t.Fine[b]-s.Fine[b]*s.Fine[b], 0)
			coarse := max(t.Coarse[b]*t.Coarse[b]-s.Coarse[b]*s.Coarse[b], 0)
			// White noise is in both bands; what the coarse one has more is of squares.
			n.Fine[b], n.Coarse[b] = math.Sqrt(fine), math.Sqrt(max(coarse-fine, 0)/squaresCoarse)
		}
		m.Noise[axis] = n
	}
}
