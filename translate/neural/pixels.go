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

// sizes lists what images of a size may be continued to, smallest first: an input's
// fixed width and height, less than a stride larger, or what [pad.Sizes] lists.
func (in input) sizes(own pad.Size) ([]pad.Size, error) {
	far := func(fixed, own int) bool { return fixed > 0 && (fixed < own || fixed-own >= pad.MaxStride) }
	if far(in.fixed.W, own.W) || far(in.fixed.H, own.H) {
		return nil, fmt.Errorf("it has %d×%d pixels, but input %q takes %s: read images at that size (data.source.resize, or --size), "+
			"or export the model with free height and width", own.W, own.H, in.name, demand(in.fixed))
	}
	return pad.Sizes(own, in.fixed, 0), nil
}

// over returns the size with what is fixed in place of its own.
func over(fixed, own pad.Size) pad.Size {
	return pad.Size{W: cmp.Or(fixed.W, own.W), H: cmp.Or(fixed.H, own.H)}
}

// demand says what a fixed size asks for.
func demand(fixed pad.Size) string {
	switch {
	case fixed.W == 0:
		return fmt.Sprintf("a height of %d", fixed.H)
	case fixed.H == 0:
		return fmt.Sprintf("a width of %d", fixed.W)
	}
	return fmt.Sprintf("%d×%d", fixed.W, fixed.H)
}

// fit returns a reference image at the input's fixed size, or else at the image's,
// each side by itself.
func (in input) fit(m *raster.Image, own pad.Size) *raster.Image {
	to := over(in.fixed, own)
	return resize.Image(m, to.W, to.H)
}

// encode makes a tensor [N,3,h,w] of images, continued to the size by
// reflection.
func (t *Translator) encode(in input, images []*raster.Image, to pad.Size) (*engine.Tensor, error) {
	n := 3 * to.W * to.H
	values := make([]float32, 0, len(images)*n)
	for _, m := range images {
		for c := range 3 {
			values = extend(values, m.Plane(c), pad.Size{W: m.W, H: m.H}, to)
		}
	}
	dims := []int{len(images), 3, to.H, to.W}
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
func extend(dst, plane []float32, from, to pad.Size) []float32 {
	for y := range to.H {
		row := plane[pad.Mirror(y, from.H)*from.W:][:from.W]
		dst = append(dst, row...)
		for x := from.W; x < to.W; x++ {
			dst = append(dst, row[pad.Mirror(x, from.W)])
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
