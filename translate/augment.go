package translate

import (
	"math/rand/v2"

	"t2sda/internal/raster"
)

// StrongAugment distorts the mixed images that the student learns
// pseudo-labels from (DACS, DAFormer): colour jitter, then Gaussian blur.
type StrongAugment struct {
	Jitter ColorJitter
	Blur   GaussianBlur
}

// DefaultStrongAugment returns DAFormer's numbers: jitter of strength 0.2 with
// probability 0.8, blur of σ ~ U(0.15, 1.15) with probability 0.5.
func DefaultStrongAugment() StrongAugment {
	return StrongAugment{
		Jitter: ColorJitter{Probability: 0.8, Brightness: 0.2, Contrast: 0.2, Saturation: 0.2, Hue: 0.2},
		Blur:   GaussianBlur{Probability: 0.5, SigmaMin: 0.15, SigmaMax: 1.15},
	}
}

// Scaled returns the augmentation with factor times the jitter's strengths (the
// hue's up to half a turn) and blur widths, at the same probabilities.
func (s StrongAugment) Scaled(factor float64) StrongAugment {
	j := &s.Jitter
	j.Brightness, j.Contrast, j.Saturation = factor*j.Brightness, factor*j.Contrast, factor*j.Saturation
	j.Hue = min(factor*j.Hue, 0.5)
	s.Blur.SigmaMin, s.Blur.SigmaMax = factor*s.Blur.SigmaMin, factor*s.Blur.SigmaMax
	return s
}

// Validate returns an error that names the field that is out of range.
func (s StrongAugment) Validate() error {
	if err := s.Jitter.Validate(); err != nil {
		return err
	}
	return s.Blur.Validate()
}

// AugmentParams is one draw of a StrongAugment; the zero value changes nothing.
type AugmentParams struct {
	Jitter JitterParams
	Blur   BlurParams
}

// Draw draws one set of parameters, always with the same number of draws from r.
func (s StrongAugment) Draw(r *rand.Rand) AugmentParams {
	return AugmentParams{Jitter: s.Jitter.Draw(r), Blur: s.Blur.Draw(r)}
}

// Apply draws once and changes all the images in place with that one draw, as
// the recipe does for the images of one iteration.
func (s StrongAugment) Apply(r *rand.Rand, images ...*raster.Image) {
	s.Draw(r).Apply(images...)
}

// Apply changes the images in place.
func (p AugmentParams) Apply(images ...*raster.Image) {
	for _, m := range images {
		p.Jitter.Apply(m)
		p.Blur.Apply(m)
	}
}
