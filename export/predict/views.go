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
}

// maxScale bounds what a mistyped scale may ask for.
const maxScale = 16

// complete checks the options against the model's fixed size, 0×0 for free,
// and fills in what it decides.
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
	case w > 0 && windows && (o.WindowWidth != w || o.WindowHeight != h):
		return fmt.Errorf("windows of %d×%d pixels: the model takes %d×%d only", o.WindowWidth, o.WindowHeight, w, h)
	case w > 0 && !windows && o.Width > 0 && (o.Width != w || o.Height != h):
		return fmt.Errorf("size %d×%d: the model takes %d×%d only (windows would do)", o.Width, o.Height, w, h)
	}
	if len(o.Scales) == 0 {
		o.Scales = []float64{1}
	}
	for _, s := range o.Scales {
		if !(s > 0 && s <= maxScale) {
			return fmt.Errorf("scale %v: want a factor above 0, at most %d", s, maxScale)
		}
		if s != 1 && w > 0 && !windows {
			return fmt.Errorf("scale %v: the model takes %d×%d only (windows would do)", s, w, h)
		}
	}
	if w > 0 && !windows {
		o.Width, o.Height = w, h
	}
	return nil
}

// direct reports whether an image is one run, whatever its size.
func (o *Inference) direct() bool {
	return o.WindowWidth == 0 && len(o.Scales) == 1 && !o.Flip
}

// base returns the size that an image of w × h pixels is brought to at scale 1.
func (o *Inference) base(w, h int) (int, int) {
	if o.Width > 0 {
		return o.Width, o.Height
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

// views plans the runs for an image of w × h pixels; fixed says that windows
// keep their size where the image is smaller.
func (o *Inference) views(w, h int, fixed bool) []view {
	w, h = o.base(w, h)
	var views []view
	for _, s := range o.Scales {
		v := view{w: scaled(w, s), h: scaled(h, s)}
		v.windows = o.windows(v.w, v.h, fixed)
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
// moved back to end with the image.
func (o *Inference) windows(w, h int, fixed bool) []window {
	if o.WindowWidth == 0 {
		return []window{{w: w, h: h}}
	}
	var all []window
	for _, y := range o.starts(h, o.WindowHeight) {
		for _, x := range o.starts(w, o.WindowWidth) {
			p := window{x, y, o.WindowWidth, o.WindowHeight}
			if !fixed {
				p.w, p.h = min(p.w, w), min(p.h, h)
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
