package neural

import (
	"cmp"
	"fmt"
	"math"

	"t2sda/graphs/engine"
	"t2sda/internal/pad"
	"t2sda/internal/raster"
	"t2sda/internal/resize"
)

// sizes lists what images of size s may be continued to, smallest first: an input's
// fixed width and height, less than a stride larger, or what [pad.Sizes] lists.
func (in input) sizes(s size) ([]size, error) {
	far := func(fixed, own int) bool { return fixed > 0 && (fixed < own || fixed-own >= pad.MaxStride) }
	if far(in.fixed.w, s.w) || far(in.fixed.h, s.h) {
		return nil, fmt.Errorf("it has %d×%d pixels, but input %q takes %s: read images at that size (data.source.resize, or --size), "+
			"or export the model with free height and width", s.w, s.h, in.name, in.fixed)
	}
	var all []size
	for _, p := range pad.Sizes(pad.Size{W: s.w, H: s.h}, pad.Size{W: in.fixed.w, H: in.fixed.h}, 0) {
		all = append(all, size{p.W, p.H})
	}
	return all, nil
}

// over returns the size with what is fixed in place of its own.
func (f size) over(s size) size {
	return size{cmp.Or(f.w, s.w), cmp.Or(f.h, s.h)}
}

// String says what a fixed size demands.
func (f size) String() string {
	switch {
	case f.w == 0:
		return fmt.Sprintf("a height of %d", f.h)
	case f.h == 0:
		return fmt.Sprintf("a width of %d", f.w)
	}
	return fmt.Sprintf("%d×%d", f.w, f.h)
}

// fit returns a reference image at the input's fixed size, or else at the image's,
// each side by itself.
func (in input) fit(m *raster.Image, s size) *raster.Image {
	s = in.fixed.over(s)
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
		row := plane[pad.Mirror(y, from.h)*from.w:][:from.w]
		dst = append(dst, row...)
		for x := from.w; x < to.w; x++ {
			dst = append(dst, row[pad.Mirror(x, from.w)])
		}
	}
	return dst
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
