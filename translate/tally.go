package translate

import (
	"fmt"
	"math"

	"t2sda/internal/raster"
)

// tally holds the sums that an [Appearance] is made from.
type tally struct {
	images, skipped int

	colours colours
	noise   [axes][2]noiseTally // per axis, fine and coarse
	falloff falloff
	power   [2][spectrumBins]float64
	tiles   int

	planes ycc // memory of measure
}

// CheckMeasured returns an error for an image that is too small for its sharpness and noise to be
// measured.
func CheckMeasured(m *raster.Image) error {
	if m.W < tileSide || m.H < tileSide {
		return fmt.Errorf("it has %d×%d pixels, but at least %d×%[3]d are needed to measure sharpness and noise", m.W, m.H, tileSide)
	}
	return nil
}

// measure replaces the sums by those of one image.
func (t *tally) measure(m *raster.Image) error {
	planes := t.planes
	*t = tally{planes: planes}
	if err := CheckMeasured(m); err != nil {
		return err
	}
	p := &t.planes
	p.from(m, wholeOf(m))
	if !p.hasContent() {
		t.skipped = 1
		return nil
	}
	t.images = 1
	t.colours.measure(p)
	t.falloff.measure(p.y, m.W, m.H)
	half := scaled(halve(p.y, m.W, m.H), 0.5)
	for axis, plane := range p.axes() {
		t.noise[axis][0].measure(plane, p.y, m.W, m.H)
		t.noise[axis][1].measure(halve(plane, m.W, m.H), half, m.W/2, m.H/2)
	}
	t.spectrum()
	return nil
}

// hasContent reports whether luma varies by more than rounding does.
func (p *ycc) hasContent() bool {
	var sum, sum2 float64
	for _, v := range p.y {
		sum += float64(v)
		sum2 += float64(v) * float64(v)
	}
	n := float64(len(p.y))
	return sum2/n-sum/n*(sum/n) > 1
}

// add adds the sums of another tally.
func (t *tally) add(o *tally) {
	t.images += o.images
	t.skipped += o.skipped
	t.colours.add(&o.colours)
	for axis := range axes {
		for scale := range 2 {
			t.noise[axis][scale].add(&o.noise[axis][scale])
		}
	}
	t.falloff.add(o.falloff)
	for part := range t.power {
		for k := range t.power[part] {
			t.power[part][k] += o.power[part][k]
		}
	}
	t.tiles += o.tiles
}

// appearance turns sums into means.
func (t *tally) appearance() *Appearance {
	a := &Appearance{Images: t.images, Skipped: t.skipped, Vignette: t.falloff.vignette()}
	a.Luma, a.Chroma = t.colours.statistics()
	for axis := range axes {
		n := &a.Noise[axis]
		n.Fine, _ = t.noise[axis][0].levels()
		n.Coarse, n.known = t.noise[axis][1].levels() // has fewer cells
	}
	for part := range t.power {
		a.Spectrum[part] = make([]float64, spectrumBins)
		for k, p := range t.power[part] {
			a.Spectrum[part][k] = p / float64(max(t.tiles, 1))
		}
	}
	return a
}

// level returns the luma level that v is counted under.
func level(v float32) int {
	return int(math.Round(float64(clip255(v))))
}
