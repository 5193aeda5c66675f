package predict

import (
	"context"
	"fmt"
	"math"

	"t2sda/graphs/engine"
	"t2sda/internal/pad"
	"t2sda/internal/raster"
)

// slot is the memory of one run: an input, and the output that came of it.
type slot struct {
	p    *Predictor
	w, h int      // of the picture, pixels
	size pad.Size // of the input: the picture's, or what it is continued to

	in     *engine.Tensor
	floats []float32 // the input's memory; nil for uint8
	bytes  []uint8   // the input's memory; nil for float32

	out     *engine.Tensor
	grid    grid            // of out
	binding *engine.Binding // nil until the output's shape is known
	planar  []float32       // logits whose channels came last, or made of scores
}

// prepare makes the slot ready for images of w × h pixels.
func (s *slot) prepare(w, h int) error {
	if s.w == w && s.h == h {
		return nil
	}
	if err := s.close(); err != nil {
		return err
	}
	known, ok := s.p.lookUp(pad.Size{W: w, H: h})
	if !ok {
		known.input = s.p.infer.continued(pad.Size{W: w, H: h})[0]
	}
	if err := s.allocate(known.input); err != nil {
		return err
	}
	if ok {
		var err error
		if s.out, err = engine.NewTensorOf(s.p.out.DType, known.output); err != nil {
			return err
		}
		if err := s.bind(); err != nil {
			return err
		}
	}
	s.w, s.h = w, h
	return nil
}

// own is the picture's size.
func (s *slot) own() pad.Size { return pad.Size{W: s.w, H: s.h} }

// allocate makes an input.
func (s *slot) allocate(e pad.Size) (err error) {
	s.size = e
	if s.p.in.dtype == engine.Float32 {
		s.floats = make([]float32, 3*e.W*e.H)
		s.in, err = engine.NewTensor(s.floats, s.p.in.sized(e.W, e.H)...)
	} else {
		s.bytes = make([]uint8, 3*e.W*e.H)
		s.in, err = engine.NewTensor(s.bytes, s.p.in.sized(e.W, e.H)...)
	}
	return err
}

// bind ties input and output to the session.
func (s *slot) bind() (err error) {
	if s.grid, err = s.p.reading.grid(s.p.out.Name, s.p.out.DType, s.out.Shape()); err != nil {
		return err
	}
	s.binding, err = s.p.session.Bind(map[string]*engine.Tensor{s.p.in.name: s.in}, map[string]*engine.Tensor{s.p.out.Name: s.out})
	return err
}

// fill writes a part of a picture, packed RGB w × h pixels, into the input;
// mirrored, x counts from the right. Beyond its borders the outermost pixels are
// repeated; beyond the part, where the model needs a larger input, it is reflected.
func (s *slot) fill(pix []byte, w, h int, part window, mirrored bool) {
	in := &s.p.in
	plane, step := s.size.W*s.size.H, 1
	if in.last {
		plane, step = 1, 3
	}
	for y := range s.h {
		row := pix[3*w*min(part.y+y, h-1):][: 3*w : 3*w]
		for c := range 3 {
			at, lut, from := c*plane+y*s.size.W*step, &in.lut[c], in.source[c]
			for x := range s.w {
				k := min(part.x+x, w-1)
				if mirrored {
					k = w - 1 - k
				}
				if v := row[3*k+from]; s.floats != nil {
					s.floats[at] = lut[v]
				} else {
					s.bytes[at] = v
				}
				at += step
			}
		}
	}
	if own := s.own(); own != s.size {
		reflect(s.floats, own, s.size, !in.last)
		reflect(s.bytes, own, s.size, !in.last)
	}
}

// run runs the session. The first run of a size finds out what the picture must be
// continued to, and the output's shape.
func (s *slot) run(ctx context.Context) error {
	if s.binding != nil {
		return s.binding.Run(ctx)
	}
	if err := s.search(ctx); err != nil {
		return err
	}
	if err := s.bind(); err != nil {
		return err
	}
	s.p.learn(s.own(), shapes{input: s.size, output: s.out.Shape()})
	return nil
}

// search runs the session on the picture, continued to one size after the other
// until the model takes it and gives it back whole; if none is given back whole, the
// first result stands.
func (s *slot) search(ctx context.Context) error {
	var fault error
	filled, cut := *s, (*slot)(nil)
	for i, larger := range s.p.infer.continued(s.own()) {
		if i > 0 {
			if err := s.allocate(larger); err != nil {
				return err
			}
			spread(s.floats, filled.floats, s.own(), larger, !s.p.in.last)
			spread(s.bytes, filled.bytes, s.own(), larger, !s.p.in.last)
		}
		results, err := s.p.session.Run(ctx, map[string]*engine.Tensor{s.p.in.name: s.in})
		if s.out = results[s.p.out.Name]; err == nil && s.out.Len() == 0 {
			err = fmt.Errorf("output %q is empty, of shape %s", s.p.out.Name, engine.ShapeText(s.out.Shape()))
		}
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && fault == nil:
			fault = err // that of the smallest size says most
		case err == nil && !s.cutShort():
			return nil
		case err == nil && cut == nil:
			first := *s
			cut = &first
		}
	}
	if cut != nil {
		*s = *cut
		return nil
	}
	*s = filled
	return s.p.infer.refused(s.own(), fault)
}

// cutShort reports whether the output lacks the input's last columns or rows: what
// networks give that halve with rounding down and double again. Logits before an enlargement
// to a size that is given may have any.
func (s *slot) cutShort() bool {
	g, err := s.p.reading.grid(s.p.out.Name, s.p.out.DType, s.out.Shape())
	if s.p.without != nil {
		g.h, g.w = s.p.without.of(g.h, g.w)
	}
	short := func(n, of int) bool { return n < of && 2*n > of }
	return err == nil && (short(g.w, s.size.W) || short(g.h, s.size.H))
}

// logits returns the output of a model of logits, in the slot's memory; a score
// that is above the threshold as the second of two.
func (s *slot) logits() logitMap {
	g, pix := s.grid, s.out.Floats()
	switch {
	case s.p.meta.Output.Kind == OutputSoftmax:
		s.planar = sizedTo(s.planar, len(pix))
		logarithms(s.planar, pix)
		pix = s.planar
	case g.kind == scores:
		pix = s.twoChannels(pix)
	case g.last:
		s.planar = sizedTo(s.planar, len(pix))
		for i := range g.h * g.w {
			for c, v := range pix[i*g.c : (i+1)*g.c] {
				s.planar[c*g.h*g.w+i] = v
			}
		}
		pix = s.planar
	}
	m := logitMap{c: g.c, h: g.h, w: g.w, pix: pix}
	if s.p.enlarges {
		m.larger = s.size
	}
	if s.size != s.own() {
		m.spanW, m.spanH = s.span(m.size())
	}
	return m
}

// twoChannels turns scores into threshold − score and 0: the second is the larger
// one exactly where the score is above the threshold, also after interpolation,
// and the first is NaN where the score is. Infinite scores are as good as large ones.
func (s *slot) twoChannels(pix []float32) []float32 {
	s.planar = sizedTo(s.planar, 2*len(pix))
	threshold := *s.p.reading.threshold
	for i, v := range pix {
		s.planar[i] = float32(min(max(threshold-float64(v), -math.MaxFloat32), math.MaxFloat32))
	}
	return s.planar
}

// leastNormal is the least float32 of full precision.
const leastNormal = 0x1p-126

// logarithms turns probabilities into logits that they are the softmax of, which may lie in the
// same memory.
func logarithms(dst, probabilities []float32) {
	for i, v := range probabilities {
		dst[i] = float32(math.Log(float64(max(v, leastNormal)))) // finite where a probability is 0
	}
}

// sizedTo returns zeros or an earlier content, n of them.
func sizedTo(memory []float32, n int) []float32 {
	if len(memory) == n {
		return memory
	}
	return make([]float32, n)
}

// span returns the columns and rows of an output that stand for the picture.
func (s *slot) span(of pad.Size) (w, h float64) {
	return float64(of.W) * float64(s.w) / float64(s.size.W), float64(of.H) * float64(s.h) / float64(s.size.H)
}

// trainIDs returns the output of a model of label maps, as train ids.
func (s *slot) trainIDs() (*raster.Labels, error) {
	l := raster.NewLabels(s.grid.w, s.grid.h)
	var err error
	switch s.out.DType() {
	case engine.Uint8:
		err = translateIDs(l, s.out, func(v uint8) (int, bool) { return int(v), true }, s.p.reading.classes)
	case engine.Int32:
		err = translateIDs(l, s.out, func(v int32) (int, bool) { return int(v), true }, s.p.reading.classes)
	case engine.Int64:
		err = translateIDs(l, s.out, func(v int64) (int, bool) { return int(v), true }, s.p.reading.classes)
	case engine.Bool:
		err = translateIDs(l, s.out, func(v bool) (int, bool) { return map[bool]int{true: 1}[v], true }, s.p.reading.classes)
	default:
		err = translateIDs(l, s.out, func(v float32) (int, bool) { return int(v), float32(int(v)) == v }, s.p.reading.classes)
	}
	if err != nil || s.size == s.own() {
		return l, err
	}
	w, h := s.span(pad.Size{W: s.grid.w, H: s.grid.h})
	return l.Crop(0, 0, max(1, int(math.Round(w))), max(1, int(math.Round(h)))), nil
}

// translateIDs makes train ids of the values that id says are whole numbers.
func translateIDs[T engine.Element](l *raster.Labels, out *engine.Tensor, id func(T) (int, bool), c classes) error {
	data, err := engine.Data[T](out)
	if err != nil {
		return err
	}
	var table [256]int16 // of what was seen: 0 not yet, else train id + 1
	for i, v := range data {
		k, whole := id(v)
		if whole && k >= 0 && k < len(table) && table[k] > 0 {
			l.Pix[i] = uint8(table[k] - 1)
			continue
		}
		if !whole {
			err = fmt.Errorf("it predicts %v, which is no id; one channel of probabilities or logits for two classes needs --threshold (0.5 or 0)", v)
		} else {
			l.Pix[i], err = c.trainID(k)
		}
		if err != nil {
			return fmt.Errorf("column %d, row %d: %w", i%l.W, i/l.W, err)
		}
		table[k] = int16(l.Pix[i]) + 1
	}
	return nil
}

// close lets go of the memory.
func (s *slot) close() error {
	var err error
	if s.binding != nil {
		err = s.binding.Close()
	}
	*s = slot{p: s.p}
	return err
}
