package predict

import (
	"errors"
	"fmt"

	"t2sda/internal/finite"
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

	// spanW and spanH are the columns and rows, from the upper left corner on, that
	// the image covers where it was continued for the model; 0: all.
	spanW, spanH float64
}

// span returns the columns and rows that the image covers.
func (m logitMap) span() (w, h float64) {
	if m.spanW == 0 {
		return float64(m.w), float64(m.h)
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
		if err := broken(best, y); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// broken returns [ErrNotFinite] if the largest logits of row y are NaN or infinite, of
// which argmax would make a class all the same. A network whose weights or input
// are broken gives NaN for all classes, and the comparisons leave that of class 0;
// where numbers overflow, as those of float16 do, some class is infinite. Classes
// that are masked, minus infinity, are none of that.
func broken(best []float32, y int) error {
	for x, v := range best {
		if !finite.Is(v) {
			return fmt.Errorf("%w: %v at column %d, row %d", ErrNotFinite, v, x, y)
		}
	}
	return nil
}

// argmaxAt returns the labels at w × h pixels: logits resized bilinearly with
// half-pixel centres (ONNX Resize "linear", torch align_corners=False), then
// argmax.
//
// The resized logits are never stored, and hardly computed: between four
// positions with one and the same largest class that class wins everywhere,
// because interpolation (also when rounded) is monotone in each of the four
// values. Only cells on class borders are interpolated.
func (m logitMap) argmaxAt(w, h int) (*raster.Labels, error) {
	spanW, spanH := m.span()
	if float64(w) == spanW && float64(h) == spanH {
		return m.argmax(w, h)
	}
	out := raster.NewLabels(w, h)
	columns, rows := spans(taps(m.w, spanW, w)), spans(taps(m.h, spanH, h))
	band := newBand(m, w)
	borders := make([]span, 0, len(columns))
	for _, row := range rows {
		first := out.Pix[row.from*w : (row.from+1)*w]
		borders = band.paint(row, columns, first, borders[:0])
		for y, t := range row.taps {
			ids := out.Pix[(row.from+y)*w : (row.from+y+1)*w]
			copy(ids, first) // for what is no border
			for _, c := range borders {
				band.argmaxCell(t, c.taps, ids[c.from:c.from+len(c.taps)])
			}
		}
	}
	return out, band.fault
}

// band holds the two rows of logits that output rows lie between, close together:
// in the map itself one pixel's classes often are a power of two apart, where
// they drive each other out of the processor's caches.
type band struct {
	m      logitMap
	stride int // from class to class
	rows   [2]bandRow
	best   []float32 // of the pixels of a cell
	fault  error     // of the first row that is broken
}

// bandRow is a row of logits with its classes.
type bandRow struct {
	y      int
	values []float32 // [C] rows of the band's stride
	ids    []uint8   // the class with the largest logit
}

func newBand(m logitMap, widest int) *band {
	const line = 16 // floats of a cache line
	b := &band{m: m, stride: m.w + line, best: make([]float32, widest)}
	for i := range b.rows {
		b.rows[i] = bandRow{y: -1, values: make([]float32, m.c*b.stride), ids: make([]uint8, m.w)}
	}
	return b
}

// row returns row y; the one before it stays valid.
func (b *band) row(y int) *bandRow {
	r := &b.rows[y%2]
	if r.y == y {
		return r
	}
	r.y = y
	best := make([]float32, b.m.w)
	for c := range b.m.c {
		row := r.values[c*b.stride:][:len(best)]
		copy(row, b.m.pix[(c*b.m.h+y)*b.m.w:])
		if c == 0 {
			copy(best, row)
			clear(r.ids)
			continue
		}
		ids := r.ids[:len(best)]
		for x, v := range row {
			if v > best[x] {
				best[x], ids[x] = v, uint8(c)
			}
		}
	}
	if b.fault == nil {
		b.fault = broken(best, y)
	}
	return r
}

// paint fills a row with the classes of the cells that have a single one, and
// appends the other cells to borders.
func (b *band) paint(row span, columns []span, ids []uint8, borders []span) []span {
	top, bottom := b.row(row.lo).ids, b.row(row.hi).ids
	for _, c := range columns {
		id := top[c.lo]
		if id != top[c.hi] || id != bottom[c.lo] || id != bottom[c.hi] {
			borders = append(borders, c)
			continue
		}
		for x := c.from; x < c.from+len(c.taps); x++ {
			ids[x] = id
		}
	}
	return borders
}

// argmaxCell fills ids of one output row between two columns of logits. Minus
// infinity of a masked class is NaN where its weight is 0, and no class then.
func (b *band) argmaxCell(row tap, columns []tap, ids []uint8) {
	lo, hi := columns[0].lo, columns[0].hi
	best := b.best[:len(columns)]
	top, bottom := b.rows[row.lo%2].values, b.rows[row.hi%2].values
	for c := range b.m.c {
		at := c * b.stride
		left, right := row.mix(top[at+lo], bottom[at+lo]), row.mix(top[at+hi], bottom[at+hi])
		for i, column := range columns {
			if v := column.mix(left, right); c == 0 || v > best[i] || best[i] != best[i] {
				best[i], ids[i] = v, uint8(c)
			}
		}
	}
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
