package translate

import (
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/blas/blas32"

	"t2sda/internal/raster"
)

// GaussianBlur convolves the image with a Gaussian of random width.
//
// The kernel's size along an axis of n pixels is the largest odd number not
// above ⌈0.1·n⌉ (SimCLR: a tenth of the image), at least 3, and no more than
// 2⌈4σ⌉+1, beyond which the weights are less than 8-bit pictures resolve.
// It is normalised to sum 1. Borders reflect without repeating the edge pixel
// (… 2 1 | 0 1 2 …), as kornia's and torch's "reflect".
type GaussianBlur struct {
	Probability float64 // that the image is blurred at all, [0, 1]
	SigmaMin    float64 // px, > 0
	SigmaMax    float64 // px, ≥ SigmaMin
}

// SimCLRBlur returns SimCLR's σ ~ U(0.1, 2.0) (Chen et al., ICML 2020,
// appendix A); as a translation it is always applied (see [SimCLRJitter]).
func SimCLRBlur() GaussianBlur {
	return GaussianBlur{Probability: 1, SigmaMin: 0.1, SigmaMax: 2}
}

// Validate returns an error that names the field that is out of range.
func (g GaussianBlur) Validate() error {
	if err := share("blur.probability", g.Probability, 0, 1); err != nil {
		return err
	}
	if !(g.SigmaMin > 0) {
		return fmt.Errorf("translate: blur.sigma_min: %v is not positive", g.SigmaMin)
	}
	return share("blur.sigma_max", g.SigmaMax, g.SigmaMin, 1e3)
}

// Translate returns a blurred copy of source; the target is not looked at.
func (g GaussianBlur) Translate(r *rand.Rand, source, _ *raster.Image) (*raster.Image, error) {
	if err := checkImage("source", source); err != nil {
		return nil, err
	}
	if err := g.Validate(); err != nil {
		return nil, err
	}
	out := source.Clone()
	g.Draw(r).Apply(out)
	return out, nil
}

// BlurParams is one draw of a GaussianBlur; the zero value changes nothing.
type BlurParams struct {
	Sigma float64 // px; 0: no blur
}

// Draw draws one set of parameters, with two draws from r whatever the outcome.
func (g GaussianBlur) Draw(r *rand.Rand) BlurParams {
	on := r.Float64() < g.Probability
	sigma := g.SigmaMin + (g.SigmaMax-g.SigmaMin)*r.Float64()
	if !on {
		sigma = 0
	}
	return BlurParams{Sigma: sigma}
}

// Apply blurs the image in place.
func (p BlurParams) Apply(m *raster.Image) {
	if p.Sigma == 0 {
		return
	}
	along, down := kernel(p.Sigma, m.W), kernel(p.Sigma, m.H)
	scratch := make([]float32, m.W*m.H)
	for c := range 3 {
		plane := m.Plane(c)
		blurRows(scratch, plane, m.W, along)
		blurColumns(plane, scratch, m.W, m.H, down)
	}
}

// kernel returns the weights of one half of the kernel for an axis of n
// pixels: the centre first, the outermost last.
func kernel(sigma float64, n int) []float32 {
	tenth := int(math.Ceil(0.1 * float64(n)))
	radius := max((tenth-1)/2, 1)
	radius = min(radius, int(math.Ceil(4*sigma)), n-1) // a reflection is at most n−1 away
	weights := make([]float64, radius+1)
	var sum float64
	for i := range weights {
		weights[i] = math.Exp(-float64(i*i) / (2 * sigma * sigma))
		sum += 2 * weights[i]
	}
	sum -= weights[0]
	out := make([]float32, radius+1)
	for i, w := range weights {
		out[i] = float32(w / sum)
	}
	return out
}

// reflect maps a position up to n−1 outside of [0, n) into it.
func reflect(i, n int) int {
	if i < 0 {
		return -i
	}
	if i >= n {
		return 2*(n-1) - i
	}
	return i
}

// blurRows convolves every row of src, [H,w], into dst.
func blurRows(dst, src []float32, w int, half []float32) {
	radius := len(half) - 1
	padded := make([]float32, w+2*radius)
	for at := 0; at < len(src); at += w {
		row := src[at : at+w]
		copy(padded[radius:], row)
		for i := range radius {
			padded[i] = row[reflect(i-radius, w)]
			padded[radius+w+i] = row[reflect(w+i, w)]
		}
		out := dst[at : at+w]
		clear(out)
		for k := -radius; k <= radius; k++ {
			axpy(half[max(k, -k)], padded[radius+k:radius+k+w], out)
		}
	}
}

// blurColumns convolves the columns of src, [h,w], into dst.
func blurColumns(dst, src []float32, w, h int, half []float32) {
	radius := len(half) - 1
	for y := range h {
		out := dst[y*w : (y+1)*w]
		clear(out)
		for k := -radius; k <= radius; k++ {
			from := reflect(y+k, h)
			axpy(half[max(k, -k)], src[from*w:(from+1)*w], out)
		}
	}
}

// axpy adds alpha·x to y, of one length.
func axpy(alpha float32, x, y []float32) {
	blas32.Axpy(alpha, blas32.Vector{N: len(x), Inc: 1, Data: x}, blas32.Vector{N: len(y), Inc: 1, Data: y})
}
