package predict

import (
	"errors"
	"fmt"
	"math"
)

// Inference says in which pieces, sizes and mirrorings an image goes through a
// model. The zero value is the whole image, once.
type Inference struct {
	// Width and Height are what images are brought to, pixels. 0×0: the model's
	// fixed size, or the image's own where that is free or where there are
	// windows.
	Width, Height int

	// WindowWidth and WindowHeight, pixels, cut the image into windows that are
	// predicted one by one; where they overlap, logits are averaged. 0×0: none.
	// A model of fixed size has windows of that size.
	WindowWidth, WindowHeight int
	// Overlap is the least share of a window that it has in common with the next,
	// from 0 to below 1.
	Overlap float64

	// Scales are the sizes, relative to Width×Height, whose probabilities are
	// averaged (test-time augmentation). Empty: 1.
	Scales []float64
	// Flip averages over mirrored images, too.
	Flip bool

	// Divisor is what models of free size need width and height to be multiples of:
	// images and windows are continued by reflection, and results cut back. 0: the
	// least power of two, up to 64, with which the model runs.
	Divisor int

	fixedW, fixedH int // of the model, 0 where it is free; see complete
}

// maxScale bounds what a mistyped scale may ask for.
const maxScale = 16

// maxDivisor likewise: no network halves its image more often than ten times.
const maxDivisor = 1024

// complete checks the options against the model's fixed width and height, 0 for
// free, and fills in what they decide.
func (o *Inference) complete(w, h int) error {
	windows := o.WindowWidth != 0 || o.WindowHeight != 0
	switch {
	case (o.Width == 0) != (o.Height == 0) || o.Width < 0 || o.Height < 0:
		return fmt.Errorf("size %d×%d: give both width and height, or none", o.Width, o.Height)
	case (o.WindowWidth == 0) != (o.WindowHeight == 0) || o.WindowWidth < 0 || o.WindowHeight < 0:
		return fmt.Errorf("windows of %d×%d pixels: give both width and height, or none", o.WindowWidth, o.WindowHeight)
	case !(o.Overlap >= 0 && o.Overlap < 1):
		return fmt.Errorf("overlap %v: want a share of the window, from 0 to below 1", o.Overlap)
	case o.Overlap > 0 && !windows:
		return errors.New("an overlap without windows")
	case windows && !fits(o.WindowWidth, o.WindowHeight, w, h):
		return fmt.Errorf("windows of %d×%d pixels: the model takes %s only", o.WindowWidth, o.WindowHeight, sizeText(w, h))
	case !windows && o.Width > 0 && !fits(o.Width, o.Height, w, h):
		return fmt.Errorf("size %d×%d: the model takes %s only (windows would do)", o.Width, o.Height, sizeText(w, h))
	case o.Divisor < 0 || o.Divisor > maxDivisor:
		return fmt.Errorf("divisor %d: want what width and height must be multiples of, from 1 to %d", o.Divisor, maxDivisor)
	case o.Divisor > 1 && (w > 0 && w%o.Divisor > 0 || h > 0 && h%o.Divisor > 0 || w > 0 && h > 0):
		return fmt.Errorf("divisor %d: the model takes %s only", o.Divisor, sizeText(w, h))
	}
	if len(o.Scales) == 0 {
		o.Scales = []float64{1}
	}
	for _, s := range o.Scales {
		if !(s > 0 && s <= maxScale) {
			return fmt.Errorf("scale %v: want a factor above 0, at most %d", s, maxScale)
		}
		if s != 1 && w+h > 0 && !windows {
			return fmt.Errorf("scale %v: the model takes %s only (windows would do)", s, sizeText(w, h))
		}
	}
	o.fixedW, o.fixedH = w, h
	if w > 0 && h > 0 && !windows {
		o.Width, o.Height = w, h
	}
	return nil
}

// fits reports whether a model whose width or height is fixed takes w × h pixels.
func fits(w, h, fixedW, fixedH int) bool {
	return (fixedW == 0 || w == fixedW) && (fixedH == 0 || h == fixedH)
}

// sizeText says what a model takes.
func sizeText(w, h int) string {
	switch {
	case w == 0:
		return fmt.Sprintf("images %d pixels high", h)
	case h == 0:
		return fmt.Sprintf("images %d pixels wide", w)
	}
	return fmt.Sprintf("%d×%d", w, h)
}

// direct reports whether an image is one run, whatever its size.
func (o *Inference) direct() bool {
	return o.WindowWidth == 0 && len(o.Scales) == 1 && !o.Flip
}

// base returns the size that an image of w × h pixels is brought to at scale 1.
// Where a model fixes its width or its height, the other keeps the proportions.
func (o *Inference) base(w, h int) (int, int) {
	switch {
	case o.Width > 0:
		return o.Width, o.Height
	case o.WindowWidth > 0:
	case o.fixedH > 0:
		return scaled(w, float64(o.fixedH)/float64(h)), o.fixedH
	case o.fixedW > 0:
		return o.fixedW, scaled(h, float64(o.fixedW)/float64(w))
	}
	return w, h
}

// view is the image in one size and mirroring, in windows.
type view struct {
	w, h    int // of the image
	flip    bool
	windows []window
}

// window is a part of a view. It may reach beyond the right and lower border,
// where the outermost pixels are repeated.
type window struct{ x, y, w, h int }

// views plans the runs for an image of w × h pixels.
func (o *Inference) views(w, h int) []view {
	w, h = o.base(w, h)
	var views []view
	for _, s := range o.Scales {
		v := view{w: scaled(w, s), h: scaled(h, s)}
		v.windows = o.windows(v.w, v.h)
		views = append(views, v)
		if o.Flip {
			v.flip = true
			views = append(views, v)
		}
	}
	return views
}

func scaled(n int, s float64) int { return max(1, int(math.Round(float64(n)*s))) }

// windows covers w × h pixels, row by row. The last window of a row or column is
// moved back to end with the image; where the image is smaller, so are windows that
// the model lets be.
func (o *Inference) windows(w, h int) []window {
	if o.WindowWidth == 0 {
		return []window{{w: w, h: h}}
	}
	var all []window
	for _, y := range o.starts(h, o.WindowHeight) {
		for _, x := range o.starts(w, o.WindowWidth) {
			p := window{x, y, o.WindowWidth, o.WindowHeight}
			if o.fixedW == 0 {
				p.w = min(p.w, w)
			}
			if o.fixedH == 0 {
				p.h = min(p.h, h)
			}
			all = append(all, p)
		}
	}
	return all
}

// starts places windows of n pixels along an axis of size pixels.
func (o *Inference) starts(size, n int) []int {
	if size <= n {
		return []int{0}
	}
	step := max(1, int(float64(n)*(1-o.Overlap)))
	var all []int
	for at := 0; ; at += step {
		if at+n >= size {
			return append(all, size-n)
		}
		all = append(all, at)
	}
}
