package neural

import (
	"fmt"
	"math"
	"slices"

	"t2sda/graphs/engine"
	"t2sda/internal/raster"
	"t2sda/internal/resize"
)

// maxStride is above the strides of image-to-image networks: no more than this
// less one pixel is added to an image.
const maxStride = 64

// sizes lists what images of size s may be continued to: an input's fixed size,
// or the multiples of powers of two, smallest first.
func (in input) sizes(s size) ([]size, error) {
	if f := in.fixed; f.w > 0 {
		if f.w < s.w || f.h < s.h || f.w-s.w >= maxStride || f.h-s.h >= maxStride {
			return nil, fmt.Errorf("it has %d×%d pixels, but input %q takes %d×%d: read images at that size (data.source.resize, or --size), "+
				"or export the model with free height and width", s.w, s.h, in.name, f.w, f.h)
		}
		return []size{f}, nil
	}
	var all []size
	for stride := 1; stride <= maxStride; stride *= 2 {
		up := func(n int) int { return (n + stride - 1) / stride * stride }
		if p := (size{up(s.w), up(s.h)}); !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	return all, nil
}

// fit returns a reference image at the input's fixed size, or else at the
// image's.
func (in input) fit(m *raster.Image, s size) *raster.Image {
	if in.fixed.w > 0 {
		s = in.fixed
	}
	return resize.Image(m, s.w, s.h)
}

// encode makes a tensor [N,3,h,w] of images, continued to the size by
// reflection.
func (t *Translator) encode(in input, images []*raster.Image, to size) (*engine.Tensor, error) {
	n := 3 * to.w * to.h
	values := make([]float32, 0, len(images)*n)
	for _, m := range images {
		for c := range 3 {
			values = extend(values, m.Plane(c), size{m.W, m.H}, to)
		}
	}
	dims := []int{len(images), 3, to.h, to.w}
	if in.dtype == engine.Uint8 {
		whole := make([]uint8, len(values))
		for i, v := range values {
			whole[i] = uint8(min(max(v, 0), 255) + 0.5)
		}
		return engine.NewTensor(whole, dims...)
	}
	if t.low != 0 || t.high != 255 {
		scale := (t.high - t.low) / 255
		for i, v := range values {
			values[i] = t.low + v*scale
		}
	}
	return engine.NewTensor(values, dims...)
}

// extend appends a plane, continued at its right and lower rim by reflection
// that does not repeat the last pixel.
func extend(dst, plane []float32, from, to size) []float32 {
	for y := range to.h {
		row := plane[mirror(y, from.h)*from.w:][:from.w]
		dst = append(dst, row...)
		for x := from.w; x < to.w; x++ {
			dst = append(dst, row[mirror(x, from.w)])
		}
	}
	return dst
}

// mirror maps a position onto [0, n) as two mirrors at its ends do.
func mirror(i, n int) int {
	if n == 1 {
		return 0
	}
	i %= 2 * (n - 1)
	return min(i, 2*(n-1)-i)
}

// decode returns an output's values.
func (t *Translator) decode(y *engine.Tensor) ([]float32, error) {
	if t.output.DType == engine.Float32 {
		return engine.Data[float32](y)
	}
	whole, err := engine.Data[uint8](y)
	if err != nil {
		return nil, err
	}
	values := make([]float32, len(whole))
	for i, v := range whole {
		values[i] = float32(v)
	}
	return values, nil
}

// check refuses an output that is no image: one with NaN or infinity in it, and
// one that evidently has another range than was asked for. Its mean tells, so
// that single pixels do not: it lies within the range in any image, and a model
// that works in 0–1 gives next to black where 255 was expected.
func (t *Translator) check(values []float32, source *raster.Image) error {
	var sum float64
	for _, v := range values {
		if x := float64(v); math.IsNaN(x) || math.IsInf(x, 0) {
			return fmt.Errorf("output %q holds %v", t.output.Name, v)
		}
		sum += float64(v)
	}
	if t.output.DType != engine.Float32 {
		return nil
	}
	mean, low, high := sum/float64(len(values)), float64(t.low), float64(t.high)
	span := high - low
	black := high == 255 && mean <= 1 && meanOf(source) > 8
	if mean < low-span || mean > high+span || black {
		return fmt.Errorf("output %q has a mean of %.3g, which does not look like an image of the range %g..%g: give the model's own range (translate.range, or --range)",
			t.output.Name, mean, low, high)
	}
	return nil
}

func meanOf(m *raster.Image) float64 {
	var sum float64
	for _, v := range m.Pix {
		sum += float64(v)
	}
	return sum / float64(len(m.Pix))
}

// toBytes brings an output's values to 0–255, in place.
func (t *Translator) toBytes(values []float32) {
	low, scale := t.low, 255/(t.high-t.low)
	if t.output.DType != engine.Float32 {
		low, scale = 0, 1
	}
	for i, v := range values {
		values[i] = min(max((v-low)*scale, 0), 255)
	}
}
