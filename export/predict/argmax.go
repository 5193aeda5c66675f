package predict

import (
	"errors"
	"fmt"

	"t2sda/internal/finite"
	"t2sda/internal/pad"
	"t2sda/internal/raster"
)

// ErrNotFinite marks the error of a model whose logits are NaN or infinite: its
// weights are broken, its input is, or its numbers overflow.
var ErrNotFinite = errors.New("logits are not finite")

// Argmax returns the labels at w × h pixels of one image's logits [C,h,w]
// (shape), resized bilinearly with half-pixel centres. It is an error when they
// are NaN or infinite, see [ErrNotFinite].
func Argmax(logits []float32, shape [3]int, w, h int) (*raster.Labels, error) {
	return logitMap{c: shape[0], h: shape[1], w: shape[2], pix: logits}.argmaxAt(w, h)
}

// logitMap is one image's logits, planar [C,H,W].
type logitMap struct {
	c, h, w int
	pix     []float32

	// larger is what the model would have enlarged them to, which is done here instead
	// where something is asked for; 0×0: the map stands for itself.
	larger pad.Size

	// spanW and spanH are the columns and rows of it all, enlarged, from the upper left
	// corner on, that the image covers where it was continued for the model; 0: all.
	spanW, spanH float64
}

// size returns the map's, enlarged.
func (m logitMap) size() pad.Size {
	if m.larger != (pad.Size{}) {
		return m.larger
	}
	return pad.Size{W: m.w, H: m.h}
}

// span returns the columns and rows that the image covers.
func (m logitMap) span() (w, h float64) {
	if m.spanW == 0 {
		return float64(m.size().W), float64(m.size().H)
	}
	return m.spanW, m.spanH
}

// argmax returns the class with the largest logit per position of the first w
// columns and h rows, the lower id on ties.
func (m logitMap) argmax(w, h int) (*raster.Labels, error) {
	out := raster.NewLabels(w, h)
	best := make([]float32, w)
	for y := range h {
		copy(best, m.pix[y*m.w:])
		ids := out.Pix[y*w:][:len(best)]
		for c := 1; c < m.c; c++ {
			row := m.pix[(c*m.h+y)*m.w:][:len(best)]
			for x, v := range row {
				if v > best[x] {
					best[x], ids[x] = v, uint8(c)
				}
			}
		}
		if err := m.broken(best, y); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// broken returns [ErrNotFinite], with a place in the map as it is enlarged, if the largest
// logits of row y are NaN or infinite, of which argmax would make a class all the same. A
// network whose weights or input
// are broken gives NaN for all classes, and the comparisons leave that of class 0;
// where numbers overflow, as those of float16 do, some class is infinite. Classes
// that are masked, minus infinity, are none of that.
func (m logitMap) broken(best []float32, y int) error {
	for x, v := range best {
		if !finite.Is(v) {
			size := m.size()
			return fmt.Errorf("%w: %v at column %d, row %d", ErrNotFinite, v, x*size.W/m.w, y*size.H/m.h)
		}
	}
	return nil
}

// resized returns the map as the model would have made it.
func (m logitMap) resized() logitMap {
	if m.larger == (pad.Size{}) {
		return m
	}
	w, h := m.larger.W, m.larger.H
	to := logitMap{c: m.c, h: h, w: w, pix: make([]float32, m.c*w*h), spanW: m.spanW, spanH: m.spanH}
	rows := m.rows()
	for y := range h {
		row := rows(y)
		for c := range m.c {
			copy(to.pix[(c*h+y)*w:], row(c))
		}
	}
	return to
}

// argmaxAt returns the labels at w × h pixels: logits resized bilinearly with
// half-pixel centres (ONNX Resize "linear", torch align_corners=False), then
// argmax.
//
// The resized logits are never stored, and hardly computed: between four
// positions with one and the same largest class that class wins everywhere,
// because interpolation (also when rounded) is monotone in each of the four
// values. Only cells on class borders are interpolated, and of their classes only
// those that may win. Likewise for what the model would have enlarged before. Where
// rounding alone makes two classes equal, the one that is larger wins, not the lower id.
func (m logitMap) argmaxAt(w, h int) (*raster.Labels, error) {
	spanW, spanH := m.span()
	asItIs := float64(w) == spanW && float64(h) == spanH
	if m.larger.W < 2*m.w || m.larger.H < 2*m.h { // there is none, or more than three positions lie about a cell
		m = m.resized()
	}
	if asItIs && m.larger == (pad.Size{}) {
		return m.argmax(w, h)
	}
	source := newBand(m)
	var all positions = source
	if m.larger != (pad.Size{}) {
		all = newEnlarged(m, source)
	}
	out := raster.NewLabels(w, h)
	if asItIs {
		for y := range h {
			copy(out.Pix[y*w:(y+1)*w], all.row(y))
		}
		return out, source.fault
	}
	size := m.size()
	cells := newCells(all, taps(size.W, spanW, w))
	for _, row := range spans(taps(size.H, spanH, h)) {
		cells.paint(row)
		for y, t := range row.taps {
			cells.label(t, out.Pix[(row.from+y)*w:(row.from+y+1)*w])
		}
	}
	return out, source.fault
}

// span is the output positions between the same two inputs.
type span struct {
	lo, hi, from int
	taps         []tap
}

func spans(taps []tap) []span {
	var all []span
	for i, t := range taps {
		if n := len(all); n > 0 && all[n-1].lo == t.lo && all[n-1].hi == t.hi {
			all[n-1].taps = taps[all[n-1].from : i+1]
			continue
		}
		all = append(all, span{lo: t.lo, hi: t.hi, from: i, taps: taps[i : i+1]})
	}
	return all
}

// tap is one output position of a linear resize: two inputs and their weights.
type tap struct {
	lo, hi   int
	wLo, wHi float32
}

// mix interpolates. The form a·(1−f)+b·f, unlike a+(b−a)·f, stays monotone in a
// and b when rounded.
func (t tap) mix(lo, hi float32) float32 { return lo*t.wLo + hi*t.wHi }

// taps returns the taps of a linear resize from the first span of n positions to
// m, half-pixel centres, edges clamped.
func taps(n int, span float64, m int) []tap {
	out := make([]tap, m)
	scale := span / float64(m)
	for i := range out {
		at := min(max((float64(i)+0.5)*scale-0.5, 0), float64(n-1))
		lo := int(at)
		f := at - float64(lo)
		out[i] = tap{lo: lo, hi: min(lo+1, n-1), wLo: float32(1 - f), wHi: float32(f)}
	}
	return out
}

// placed returns the taps of ONNX Runtime's Resize, mode "linear", half-pixel centres, from n
// positions to m, in float32 as it finds them.
func placed(n, m int) []tap {
	out := make([]tap, m)
	scale := float32(m) / float32(n)
	for i := range out {
		at := min(max((float32(i)+0.5)/scale-0.5, 0), float32(n-1))
		lo := int(at)
		t := tap{lo: lo, hi: min(lo+1, n-1)}
		if t.lo == t.hi {
			t.wLo, t.wHi = 0.5, 0.5
		} else {
			t.wLo, t.wHi = float32(t.hi)-at, at-float32(lo)
		}
		out[i] = t
	}
	return out
}

// weights are a position's between four, by the order of products and sums of ONNX Runtime's
// Resize, which are not to be fused. (After convolutions it may have another order.) What they
// make of the four is monotone in each, too.
type weights struct{ topLeft, topRight, bottomLeft, bottomRight float32 }

func (t tap) weights(column tap) weights {
	return weights{column.wLo * t.wLo, column.wHi * t.wLo, column.wLo * t.wHi, column.wHi * t.wHi}
}

func (w weights) mix(topLeft, topRight, bottomLeft, bottomRight float32) float32 {
	v := float32(w.topLeft*topLeft) + float32(w.topRight*topRight)
	v += float32(w.bottomLeft * bottomLeft)
	return v + float32(w.bottomRight*bottomRight)
}
