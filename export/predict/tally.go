package predict

import (
	"math"
	"slices"

	"t2sda/internal/pad"
	"t2sda/internal/raster"
)

// tally gathers what the runs of one image say: the mean of overlapping windows'
// logits, then that of the probabilities, or of the scores, of a view and its mirror image, then
// the sum over sizes. Models of label maps vote instead, with one channel per class and one
// more for void.
//
// The first two are made at the logits' own size where the geometry lets them, see
// [view.align] and [tally.flush], which takes a sixteenth of the work at stride 4, else at the
// view's and the image's, as MMSegmentation's slide_inference and aug_test do it all. What
// differs is the order of interpolation and mean: at windows' borders, where here logits of two
// windows are interpolated between, and where the mirror image says something else. Sizes,
// whose positions lie elsewhere, meet at the image's size.
type tally struct {
	kind    kind
	classes int // of the model; votes have one channel more
	views   int
	flip    bool     // every second view is the mirror image of the one before
	w, h    int      // that the sizes are brought to
	part    logitMap // of the view under way
	pair    logitMap // likewise, and of its mirror image
	total   logitMap // [C,h,w]: sums of probabilities, scores or shares of votes
	summed  int      // maps in total; 0: the result is another
	result  logitMap // after the last view
}

// done is a finished run.
type done struct {
	view        *view
	window      window
	first, last bool // of its view
	slot        *slot
}

// add takes what a run gave.
func (t *tally) add(d done) error {
	var m logitMap
	var votes *raster.Labels
	channels := t.classes + 1
	if t.kind = d.slot.grid.kind; t.kind == ids {
		var err error
		if votes, err = d.slot.trainIDs(); err != nil {
			return err
		}
	} else {
		m = d.slot.logits()
		channels = m.c
	}
	if d.view.whole() && votes == nil {
		t.flush(d.view, m)
		return nil
	}
	if d.first {
		t.part = t.part.of(d.view, channels)
	}
	switch {
	case votes != nil:
		t.part.addVotes(votes, d.window)
	case d.view.cell != pad.Size{}:
		t.part.addCells(m, d.window.in(d.view.cell))
	default:
		t.part.addLogits(m, d.window)
	}
	if d.last {
		t.part.average(d.view)
		t.flush(d.view, t.part)
	}
	return nil
}

// of returns a map for the sum over a view's windows.
func (m logitMap) of(v *view, channels int) logitMap {
	if v.cell == (pad.Size{}) {
		return m.cleared(channels, v.w, v.h)
	}
	all := window{w: v.w, h: v.h}.in(v.cell)
	m = m.cleared(channels, all.w, all.h)
	m.spanW, m.spanH = float64(v.w)/float64(v.cell.W), float64(v.h)/float64(v.cell.H)
	return m
}

// flush ends a view. The mean over it and its mirror image is made at the logits' own size where
// they cover the image, and nothing else, at a size of their own.
func (t *tally) flush(v *view, m logitMap) {
	w, h := m.span()
	if !t.flip || t.kind == ids || w != math.Trunc(w) || h != math.Trunc(h) || int(w*h) >= v.w*v.h {
		t.sum(m, v.flip, 1)
		return
	}
	if !v.flip {
		t.pair = t.pair.cleared(m.c, int(w), int(h))
	}
	t.pair.addView(m, v.flip, t.kind == logits, rarest, 0.5)
	if !v.flip {
		return
	}
	if t.kind == logits {
		// Between positions the mean is interpolated by its logarithm: an image that looks like its
		// mirror image gets the labels that it gets alone, which it would not otherwise.
		logarithms(t.pair.pix, t.pair.pix)
	}
	t.sum(t.pair, false, 2)
}

// sum adds the mean of n views to those of other sizes, at the image's size; if there are none
// it is the result.
func (t *tally) sum(m logitMap, flip bool, n int) {
	if n == t.views {
		t.result = m
		return
	}
	if t.summed == 0 {
		t.total = t.total.cleared(m.c, t.w, t.h)
	}
	t.total.addView(m, flip, t.kind == logits, negligible, float32(n))
	t.summed++
	t.result = t.total
}

// cleared returns a map of zeros, in m's memory where that is large enough.
func (m logitMap) cleared(c, w, h int) logitMap {
	n := c * w * h
	pix := slices.Grow(m.pix[:0], n)[:n]
	clear(pix)
	return logitMap{c: c, h: h, w: w, pix: pix}
}

// addLogits adds a window's logits, brought to its size; what lies beyond the
// borders is left out.
func (m logitMap) addLogits(run logitMap, p window) {
	width := min(p.w, m.w-p.x)
	run.each(p.w, p.h, func(y int, values []float32) {
		if p.y+y >= m.h {
			return
		}
		for c := range m.c {
			dst := m.pix[(c*m.h+p.y+y)*m.w+p.x:][:width]
			for x, v := range values[c*p.w:][:width] {
				dst[x] += v
			}
		}
	})
}

// addCells adds a window's logits as they are; p is where, in positions. What lies beyond
// the borders is left out.
func (m logitMap) addCells(run logitMap, p window) {
	width := min(p.w, m.w-p.x)
	for c := range m.c {
		for y := range min(p.h, m.h-p.y) {
			dst := m.pix[(c*m.h+p.y+y)*m.w+p.x:][:width]
			for x, v := range run.pix[(c*run.h+y)*run.w:][:width] {
				dst[x] += v
			}
		}
	}
}

// addVotes adds 1 to each pixel's class; void is the last channel.
func (m logitMap) addVotes(votes *raster.Labels, p window) {
	votes = votes.ResizeNearest(p.w, p.h)
	for y := range min(p.h, m.h-p.y) {
		for x := range min(p.w, m.w-p.x) {
			c := min(int(votes.Pix[y*p.w+x]), m.c-1)
			m.pix[(c*m.h+p.y+y)*m.w+p.x+x]++
		}
	}
}

// average divides each position by the number of the view's windows that cover it.
func (m logitMap) average(v *view) {
	windows := v.windows
	if v.cell != (pad.Size{}) {
		windows = nil
		for _, p := range v.windows {
			windows = append(windows, p.in(v.cell))
		}
	}
	columns, rows := coverage(windows, m.w, m.h)
	for c := range m.c {
		for y, n := range rows {
			row := m.pix[(c*m.h+y)*m.w:][:m.w]
			for x := range row {
				row[x] /= n * columns[x]
			}
		}
	}
}

// coverage counts the windows over each column of the first row of windows, and
// over each row of the first column: windows stand in a grid.
func coverage(windows []window, w, h int) (columns, rows []float32) {
	columns, rows = make([]float32, w), make([]float32, h)
	for _, p := range windows {
		if p.y == windows[0].y {
			for x := p.x; x < min(p.x+p.w, w); x++ {
				columns[x]++
			}
		}
		if p.x == windows[0].x {
			for y := p.y; y < min(p.y+p.h, h); y++ {
				rows[y]++
			}
		}
	}
	return columns, rows
}

// addView adds a view weight times, brought to m's size: its probabilities, of which least is for
// [softmax], or its scores or shares of votes as they are.
func (m logitMap) addView(view logitMap, flip, probabilities bool, least, weight float32) {
	view.each(m.w, m.h, func(y int, values []float32) {
		if probabilities {
			softmax(values, m.c, least)
		}
		for c := range m.c {
			dst, src := m.pix[(c*m.h+y)*m.w:][:m.w], values[c*m.w:][:m.w]
			if flip {
				slices.Reverse(src)
			}
			for x, v := range src {
				dst[x] += weight * v
			}
		}
	})
}

// each calls f with every row of the map at w × h pixels, [C,w], bilinearly with
// half-pixel centres. f may write to the values.
func (m logitMap) each(w, h int, f func(y int, values []float32)) {
	spanW, spanH := m.span()
	size, all := m.size(), m.rows()
	columns, rows := taps(size.W, spanW, w), taps(size.H, spanH, h)
	values, mixed := make([]float32, m.c*w), make([]float32, size.W)
	for y, row := range rows {
		above, below := all(row.lo), all(row.hi)
		for c := range m.c {
			dst := values[c*w:][:w]
			top, bottom := above(c), below(c)
			if float64(w) == spanW && row.wHi == 0 {
				copy(dst, top)
				continue
			}
			for x := range mixed {
				mixed[x] = row.mix(top[x], bottom[x])
			}
			if float64(w) == spanW {
				copy(dst, mixed)
				continue
			}
			for x, t := range columns {
				dst[x] = t.mix(mixed[t.lo], mixed[t.hi])
			}
		}
		f(y, values)
	}
}

// rows returns what gives a row of each class's logits, as the model would have enlarged them: of two
// neighbouring rows at a time.
func (m logitMap) rows() func(y int) func(c int) []float32 {
	if m.larger == (pad.Size{}) {
		return func(y int) func(c int) []float32 {
			return func(c int) []float32 { return m.pix[(c*m.h+y)*m.w:][:m.w] }
		}
	}
	columns, rows := placed(m.w, m.larger.W), placed(m.h, m.larger.H)
	var held [2]struct {
		y      int // + 1
		values []float32
	}
	between := make([]weights, len(columns))
	return func(y int) func(c int) []float32 {
		k, w := &held[y%2], m.larger.W
		if k.y != y+1 {
			k.y, k.values = y+1, sizedTo(k.values, m.c*w)
			for x, t := range columns {
				between[x] = rows[y].weights(t)
			}
			for c := range m.c {
				top, bottom, dst := m.pix[(c*m.h+rows[y].lo)*m.w:][:m.w], m.pix[(c*m.h+rows[y].hi)*m.w:][:m.w], k.values[c*w:][:w]
				for x, t := range columns {
					dst[x] = between[x].mix(top[t.lo], top[t.hi], bottom[t.lo], bottom[t.hi])
				}
			}
		}
		return func(c int) []float32 { return k.values[c*w:][:w] }
	}
}

// negligible is a logit's distance from the largest below which its probability,
// at most e^-18, is lost in float32 beside that one's.
const negligible = -18

// rarest is such a distance of the least probability that logarithms are taken of, e^-87.
const rarest = -87

// softmax turns a row of logits [C,w] into probabilities, those of logits that are as far as least
// from the largest into 0.
func softmax(values []float32, channels int, least float32) {
	w := len(values) / channels
	most, sum := slices.Clone(values[:w]), make([]float32, w)
	for c := 1; c < channels; c++ {
		for x, v := range values[c*w:][:w] {
			most[x] = max(most[x], v)
		}
	}
	for c := range channels {
		row := values[c*w:][:w]
		for x, v := range row {
			p := float32(0)
			if d := v - most[x]; d > least {
				p = float32(math.Exp(float64(d)))
			}
			row[x] = p
			sum[x] += p
		}
	}
	for c := range channels {
		row := values[c*w:][:w]
		for x := range row {
			row[x] /= sum[x]
		}
	}
}
