package predict

import (
	"errors"
	"fmt"
	"math"

	"t2sda/internal/limit"
	"t2sda/internal/pad"
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
	// from 0 to below 1. 0: that of a model which says in which windows images go through it, unless
	// they are to be Apart.
	Overlap float64
	Apart   bool

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
	case (o.Overlap > 0 || o.Apart) && !windows:
		return errors.New("an overlap without windows")
	case o.Overlap > 0 && o.Apart:
		return fmt.Errorf("overlap %v of windows that are to lie apart", o.Overlap)
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
	return o.WindowWidth == 0 && len(o.Scales) <= 1 && !o.Flip
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

// demand returns the most pixels of what an image of w × h becomes at scale 1, continued to what the
// model takes included: of a narrow image that may be many times its own. Where they, or those at another
// scale, are beyond [limit.Pixels] it is an error.
func (o *Inference) demand(w, h int) (most int, err error) {
	w, h = o.base(w, h)
	for _, s := range append([]float64{1}, o.Scales...) {
		view := pad.Size{W: scaled(w, s), H: scaled(h, s)}
		all := []pad.Size{view}
		if o.WindowWidth == 0 {
			all = append(all, o.continued(view)...)
		}
		for _, e := range all {
			if err := limit.Check(e.W, e.H); err != nil {
				return 0, fmt.Errorf("brought to what the model takes: %w", err)
			}
			if s == 1 {
				most = max(most, e.W*e.H)
			}
		}
	}
	return most, nil
}

// view is the image in one size and mirroring, in windows.
type view struct {
	w, h    int // of the image
	flip    bool
	windows []window
	// cell is the pixels that a position of a window's logits stands for, where they are
	// added up at their own size; 0×0: at the view's.
	cell pad.Size
}

// window is a part of a view. It may reach beyond the right and lower border,
// where the outermost pixels are repeated.
type window struct{ x, y, w, h int }

// views plans the runs for an image of w × h pixels, those of one size one after the other.
// stride tells of a window what [view.cell] is.
func (o *Inference) views(w, h int, stride func(window) (pad.Size, error)) ([]view, error) {
	w, h = o.base(w, h)
	var views []view
	for _, s := range o.Scales {
		v := view{w: scaled(w, s), h: scaled(h, s)}
		v.windows = o.windows(v.w, v.h, pad.Size{})
		if !v.whole() {
			cell, err := stride(v.windows[0])
			if err != nil {
				return nil, err
			}
			v.align(o, cell)
		}
		views = append(views, v)
		if o.Flip {
			v.flip = true
			views = append(views, v)
		}
	}
	return views, nil
}

// whole reports whether the view is a single run, of nothing but itself.
func (v *view) whole() bool {
	return len(v.windows) == 1 && v.windows[0] == window{w: v.w, h: v.h}
}

// align lets windows begin where positions of their logits do, of cell pixels each, if
// they can: windows are whole cells then, and so is the image, with whose end the last one ends.
// Where there is but one along an axis, what its last cell has beyond the image is left out.
func (v *view) align(o *Inference, cell pad.Size) {
	if cell.W == 0 || cell.H == 0 {
		return
	}
	windows := o.windows(v.w, v.h, cell)
	for _, p := range windows {
		if p.x%cell.W > 0 || p.y%cell.H > 0 || p.w < v.w && p.w%cell.W > 0 || p.h < v.h && p.h%cell.H > 0 {
			return
		}
	}
	v.windows, v.cell = windows, cell
}

// in returns the window in cells, as many as hold it.
func (p window) in(cell pad.Size) window {
	return window{p.x / cell.W, p.y / cell.H, (p.w + cell.W - 1) / cell.W, (p.h + cell.H - 1) / cell.H}
}

func scaled(n int, s float64) int { return max(1, int(math.Round(float64(n)*s))) }

// windows covers w × h pixels, row by row. The last window of a row or column is
// moved back to end with the image; where the image is smaller, so are windows that
// the model lets be. They advance by whole cells, if those are not larger than the step.
func (o *Inference) windows(w, h int, cell pad.Size) []window {
	if o.WindowWidth == 0 {
		return []window{{w: w, h: h}}
	}
	var all []window
	for _, y := range o.starts(h, o.WindowHeight, cell.H) {
		for _, x := range o.starts(w, o.WindowWidth, cell.W) {
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
func (o *Inference) starts(size, n, cell int) []int {
	if size <= n {
		return []int{0}
	}
	step := max(1, int(float64(n)*(1-o.Overlap)))
	if cell > 0 && step > cell {
		step -= step % cell
	}
	var all []int
	for at := 0; ; at += step {
		if at+n >= size {
			return append(all, size-n)
		}
		all = append(all, at)
	}
}
