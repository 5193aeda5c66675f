package predict

import (
	"fmt"

	"t2sda/internal/pad"
)

// continued lists the sizes that an input may be continued to along the model's
// free axes, smallest first: a network that adds or concatenates features of several
// strides takes multiples of the largest.
func (o *Inference) continued(e pad.Size) []pad.Size {
	fixed := pad.Size{}
	if o.fixedW > 0 {
		fixed.W = e.W
	}
	if o.fixedH > 0 {
		fixed.H = e.H
	}
	return pad.Sizes(e, fixed, o.Divisor)
}

// refused explains an error of the model with images of a size, whatever they
// were continued to.
func (o *Inference) refused(e pad.Size, err error) error {
	switch {
	case o.fixedW > 0 && o.fixedH > 0:
		return err
	case o.Divisor > 1:
		return fmt.Errorf("it does not run on %d×%d pixels with width and height continued to multiples of %d (--divisor): %w", e.W, e.H, o.Divisor, err)
	case o.Divisor == 1:
		return fmt.Errorf("it does not run on %d×%d pixels as they are (--divisor 1): %w", e.W, e.H, err)
	}
	return fmt.Errorf("it does not run on %d×%d pixels, nor with width and height continued to multiples of up to %d; "+
		"if it takes certain sizes only, name one (--size), or what they are multiples of (--divisor): %w", e.W, e.H, pad.MaxStride, err)
}

// reflect continues a picture whose values are known in the upper left from.W ×
// from.H pixels of to.W × to.H, in channels planes of it (planar) or interleaved,
// by reflection that does not repeat the outermost pixels. No memory: no picture.
func reflect[T any](pix []T, from, to pad.Size, planar bool) {
	if len(pix) == 0 {
		return
	}
	planes, step := 3, 1
	if !planar {
		planes, step = 1, 3
	}
	for p := range planes {
		plane := pix[p*to.W*to.H*step:]
		for y := range to.H {
			row := plane[y*to.W*step:][:to.W*step]
			if y >= from.H {
				copy(row, plane[pad.Mirror(y, from.H)*to.W*step:][:to.W*step])
				continue
			}
			for x := from.W; x < to.W; x++ {
				copy(row[x*step:(x+1)*step], row[pad.Mirror(x, from.W)*step:])
			}
		}
	}
}

// spread moves a picture of from.W × from.H pixels into the upper left of one of
// to.W × to.H.
func spread[T any](dst, src []T, from, to pad.Size, planar bool) {
	if len(src) == 0 {
		return
	}
	planes, step := 3, 1
	if !planar {
		planes, step = 1, 3
	}
	for p := range planes {
		for y := range from.H {
			copy(dst[(p*to.H+y)*to.W*step:], src[(p*from.H+y)*from.W*step:][:from.W*step])
		}
	}
	reflect(dst, from, to, planar)
}
