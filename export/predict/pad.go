package predict

import (
	"fmt"
	"slices"
)

// extent is a width and a height in pixels.
type extent struct{ w, h int }

// maxStride is the largest divisor that is tried: the strides of networks are
// powers of two, and 32 for nearly all.
const maxStride = 64

// continued lists the sizes that an input of w × h pixels may be continued to
// along the model's free axes, smallest first: for a network of stride s that adds
// or concatenates features of several strides, the next multiple of s.
func (o *Inference) continued(e extent) []extent {
	if o.fixedW > 0 && o.fixedH > 0 {
		return []extent{e}
	}
	up := func(n int) extent {
		to := extent{(e.w + n - 1) / n * n, (e.h + n - 1) / n * n}
		if o.fixedW > 0 {
			to.w = e.w
		}
		if o.fixedH > 0 {
			to.h = e.h
		}
		return to
	}
	if o.Divisor > 0 {
		return []extent{up(o.Divisor)}
	}
	var all []extent
	for n := 1; n <= maxStride; n *= 2 {
		if to := up(n); !slices.Contains(all, to) {
			all = append(all, to)
		}
	}
	return all
}

// refused explains an error of the model with images of a size, whatever they
// were continued to.
func (o *Inference) refused(e extent, tried int, err error) error {
	if tried == 1 {
		return err
	}
	return fmt.Errorf("it does not run on %d×%d pixels, nor with width and height continued to multiples of up to %d; "+
		"if it takes certain sizes only, name one (size), or what they are multiples of (divisor): %w", e.w, e.h, maxStride, err)
}

// mirror maps a position onto [0, n) as two mirrors at its ends do.
func mirror(i, n int) int {
	if n == 1 {
		return 0
	}
	i %= 2 * (n - 1)
	return min(i, 2*(n-1)-i)
}

// reflect continues a picture whose values are known in the upper left from.w ×
// from.h pixels of to.w × to.h, in channels planes of it (planar) or interleaved,
// by reflection that does not repeat the outermost pixels. No memory: no picture.
func reflect[T any](pix []T, from, to extent, planar bool) {
	if len(pix) == 0 {
		return
	}
	planes, step := 3, 1
	if !planar {
		planes, step = 1, 3
	}
	for p := range planes {
		plane := pix[p*to.w*to.h*step:]
		for y := range to.h {
			row := plane[y*to.w*step:][:to.w*step]
			if y >= from.h {
				copy(row, plane[mirror(y, from.h)*to.w*step:][:to.w*step])
				continue
			}
			for x := from.w; x < to.w; x++ {
				copy(row[x*step:(x+1)*step], row[mirror(x, from.w)*step:])
			}
		}
	}
}

// spread moves a picture of from.w × from.h pixels into the upper left of one of
// to.w × to.h.
func spread[T any](dst, src []T, from, to extent, planar bool) {
	if len(src) == 0 {
		return
	}
	planes, step := 3, 1
	if !planar {
		planes, step = 1, 3
	}
	for p := range planes {
		for y := range from.h {
			copy(dst[(p*to.h+y)*to.w*step:], src[(p*from.h+y)*from.w*step:][:from.w*step])
		}
	}
	reflect(dst, from, to, planar)
}
