package predict

import (
	"context"
	"fmt"

	"t2sda/graphs/engine"
	"t2sda/internal/raster"
)

// slot is the memory of one run: an input, and the output that came of it.
type slot struct {
	p    *Predictor
	w, h int // of the input, pixels

	in     *engine.Tensor
	floats []float32 // the input's memory; nil for uint8
	bytes  []uint8   // the input's memory; nil for float32

	out     *engine.Tensor
	grid    grid            // of out
	binding *engine.Binding // nil until the output's shape is known
	planar  []float32       // logits whose channels came last
}

// prepare makes the slot ready for images of w × h pixels.
func (s *slot) prepare(w, h int) error {
	if s.w == w && s.h == h {
		return nil
	}
	if err := s.close(); err != nil {
		return err
	}
	var err error
	if s.p.in.dtype == engine.Float32 {
		s.floats = make([]float32, 3*w*h)
		s.in, err = engine.NewTensor(s.floats, s.p.in.sized(w, h)...)
	} else {
		s.bytes = make([]uint8, 3*w*h)
		s.in, err = engine.NewTensor(s.bytes, s.p.in.sized(w, h)...)
	}
	if err != nil {
		return err
	}
	if dims, ok := s.p.outputDims(w, h); ok {
		if s.out, err = engine.NewTensorOf(s.p.out.DType, dims); err != nil {
			return err
		}
		if err := s.bind(); err != nil {
			return err
		}
	}
	s.w, s.h = w, h
	return nil
}

// bind ties input and output to the session.
func (s *slot) bind() (err error) {
	if s.grid, err = newGrid(s.p.out.Name, s.p.out.DType, s.out.Shape(), s.p.classes); err != nil {
		return err
	}
	s.binding, err = s.p.session.Bind(map[string]*engine.Tensor{s.p.in.name: s.in}, map[string]*engine.Tensor{s.p.out.Name: s.out})
	return err
}

// fill writes a part of a picture, packed RGB w × h pixels, into the input;
// mirrored, x counts from the right. Beyond its borders the outermost pixels are
// repeated.
func (s *slot) fill(pix []byte, w, h int, part window, mirrored bool) {
	in := &s.p.in
	plane, step := s.w*s.h, 1
	if in.last {
		plane, step = 1, 3
	}
	for y := range s.h {
		row := pix[3*w*min(part.y+y, h-1):][: 3*w : 3*w]
		for c := range 3 {
			at, lut, from := c*plane+y*s.w*step, &in.lut[c], in.source[c]
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
}

// run runs the session. The first run of a size finds out the output's shape.
func (s *slot) run(ctx context.Context) error {
	if s.binding != nil {
		return s.binding.Run(ctx)
	}
	results, err := s.p.session.Run(ctx, map[string]*engine.Tensor{s.p.in.name: s.in})
	if err != nil {
		return err
	}
	s.out = results[s.p.out.Name]
	if err := s.bind(); err != nil {
		return err
	}
	s.p.learn(s.w, s.h, s.out.Shape())
	return nil
}

// logits returns the output of a model of logits, in the slot's memory.
func (s *slot) logits() logitMap {
	g, pix := s.grid, s.out.Floats()
	if g.last {
		if len(s.planar) != len(pix) {
			s.planar = make([]float32, len(pix))
		}
		for i := range g.h * g.w {
			for c, v := range pix[i*g.c : (i+1)*g.c] {
				s.planar[c*g.h*g.w+i] = v
			}
		}
		pix = s.planar
	}
	return logitMap{c: g.c, h: g.h, w: g.w, pix: pix}
}

// trainIDs returns the output of a model of label maps, as train ids.
func (s *slot) trainIDs() (*raster.Labels, error) {
	l := raster.NewLabels(s.grid.w, s.grid.h)
	var err error
	switch s.out.DType() {
	case engine.Uint8:
		err = translateIDs(l, s.out, func(v uint8) int { return int(v) }, s.p.classes)
	case engine.Int32:
		err = translateIDs(l, s.out, func(v int32) int { return int(v) }, s.p.classes)
	default:
		err = translateIDs(l, s.out, func(v int64) int { return int(v) }, s.p.classes)
	}
	return l, err
}

func translateIDs[T engine.Element](l *raster.Labels, out *engine.Tensor, id func(T) int, c classes) error {
	data, err := engine.Data[T](out)
	if err != nil {
		return err
	}
	var table [256]int16 // of what was seen: 0 not yet, else train id + 1
	for i, v := range data {
		k := id(v)
		if k >= 0 && k < len(table) && table[k] > 0 {
			l.Pix[i] = uint8(table[k] - 1)
			continue
		}
		if l.Pix[i], err = c.trainID(k); err != nil {
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
