package predict

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"t2sda/internal/pad"
	"t2sda/internal/raster"
	"t2sda/internal/resize"
)

// Task is the memory of one image under way. Its steps, Fill, Run and Labels, may
// be taken by different goroutines, one after the other; so while one image's
// session runs, another one can be decoded and a third one scored. A task serves
// one image after the other.
type Task struct {
	p     *Predictor
	slots [2]*slot // the second one where an image takes several runs

	pix   []byte // packed RGB w×h: the image, where it takes several runs
	w, h  int
	tally tally
}

// Fill takes the image. It is not looked at later.
func (t *Task) Fill(img *raster.Image) error {
	if err := t.fill(img); err != nil {
		return fmt.Errorf("model %s: %w", t.p.name, err)
	}
	return nil
}

func (t *Task) fill(img *raster.Image) error {
	if img.W <= 0 || img.H <= 0 {
		return fmt.Errorf("image of %d×%d pixels", img.W, img.H)
	}
	if _, err := t.p.infer.demand(img.W, img.H); err != nil {
		return err
	}
	if !t.p.infer.direct() {
		t.pix, t.w, t.h = img.RGB(), img.W, img.H
		return nil
	}
	w, h := t.p.infer.base(img.W, img.H)
	if err := t.slots[0].prepare(w, h); err != nil {
		return err
	}
	if t.p.verbatim && w == img.W && h == img.H && t.slots[0].size == (pad.Size{W: w, H: h}) {
		copy(t.slots[0].floats, img.Pix)
		return nil
	}
	t.slots[0].fill(sized(img.RGB(), img.W, img.H, w, h), w, h, window{w: w, h: h}, false)
	return nil
}

// sized returns packed colour at another size.
func sized(pix []byte, w0, h0, w, h int) []byte {
	if w0 == w && h0 == h {
		return pix
	}
	return resize.RGB(pix, w0, h0, w, h)
}

// Run runs the session on what Fill prepared: once, or once per window, scale
// and mirroring.
func (t *Task) Run(ctx context.Context) error {
	var err error
	if t.p.infer.direct() {
		err = t.slots[0].run(ctx)
	} else {
		err = t.runViews(ctx)
	}
	if err != nil {
		return fmt.Errorf("model %s: %w", t.p.name, err)
	}
	return nil
}

// runViews makes the runs of all views. While the session runs, the next input
// is cut and the last output added up.
func (t *Task) runViews(ctx context.Context) error {
	views, err := t.p.infer.views(t.w, t.h, func(p window) (pad.Size, error) { return t.stride(ctx, p) })
	if err != nil {
		return err
	}
	w, h := t.p.infer.base(t.w, t.h)
	t.tally = tally{
		classes: len(t.p.Space().Classes), views: len(views), flip: t.p.infer.Flip, w: w, h: h,
		part: t.tally.part, pair: t.tally.pair, total: t.tally.total, // their memory is used again
	}
	group, ctx := errgroup.WithContext(ctx)
	free, filled, finished := make(chan *slot, len(t.slots)), make(chan done, len(t.slots)), make(chan done, len(t.slots))
	for _, s := range t.slots {
		free <- s
	}
	group.Go(func() error {
		defer close(filled)
		return t.cut(ctx, views, free, filled)
	})
	group.Go(func() error {
		defer close(finished)
		for d := range filled {
			if err := d.slot.run(ctx); err != nil {
				return err
			}
			finished <- d // has room for every slot
		}
		return nil
	})
	group.Go(func() error {
		for d := range finished {
			if err := t.tally.add(d); err != nil {
				return err
			}
			free <- d.slot
		}
		return nil
	})
	return group.Wait()
}

// stride returns the pixels that a position of a window's logits stands for, 0×0 where those
// are no whole number, or for a label map. A window's size that no run has shown yet is
// tried, so that an image's windows do not depend on the images before it.
func (t *Task) stride(ctx context.Context, p window) (pad.Size, error) {
	s := t.slots[0]
	if err := s.prepare(p.w, p.h); err != nil {
		return pad.Size{}, err
	}
	if s.binding == nil {
		if err := s.run(ctx); err != nil {
			return pad.Size{}, err
		}
	}
	g := s.grid
	if g.kind == ids || s.size.W%g.w > 0 || s.size.H%g.h > 0 {
		return pad.Size{}, nil
	}
	return pad.Size{W: s.size.W / g.w, H: s.size.H / g.h}, nil
}

// cut fills slots with the windows of all views.
func (t *Task) cut(ctx context.Context, views []view, free <-chan *slot, filled chan<- done) error {
	var pix []byte
	for i := range views {
		v := &views[i]
		if i == 0 || v.w != views[i-1].w || v.h != views[i-1].h {
			pix = sized(t.pix, t.w, t.h, v.w, v.h)
		}
		for k, part := range v.windows {
			select {
			case s := <-free:
				if err := s.prepare(part.w, part.h); err != nil {
					return err
				}
				s.fill(pix, v.w, v.h, part, v.flip)
				filled <- done{view: v, window: part, first: k == 0, last: k == len(v.windows)-1, slot: s} // has room for every slot
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	return nil
}

// Labels returns the labels at w × h pixels: the train ids of the model's
// classes, or void where it predicts an id that stands for none.
func (t *Task) Labels(w, h int) (*raster.Labels, error) {
	if w <= 0 || h <= 0 {
		return nil, fmt.Errorf("model %s: labels of %d×%d pixels", t.p.name, w, h)
	}
	l, err := t.labels(w, h)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", t.p.name, err)
	}
	return l, nil
}

func (t *Task) labels(w, h int) (*raster.Labels, error) {
	if !t.p.infer.direct() {
		l, err := t.tally.result.argmaxAt(w, h)
		if err != nil {
			return nil, err
		}
		if t.tally.kind != ids {
			t.p.reading.classes.translate(l)
			return l, nil
		}
		void := uint8(t.tally.classes)
		for i, id := range l.Pix {
			if id == void {
				l.Pix[i] = raster.Void
			}
		}
		return l, nil
	}
	s := t.slots[0]
	if s.grid.kind != ids {
		l, err := s.logits().argmaxAt(w, h)
		if err != nil {
			return nil, err
		}
		t.p.reading.classes.translate(l)
		return l, nil
	}
	l, err := s.trainIDs()
	if err != nil || l.W == w && l.H == h {
		return l, err
	}
	return l.ResizeNearest(w, h), nil
}

// Close leaves the task to the next [Predictor.NewTask].
func (t *Task) Close() {
	t.p.mu.Lock()
	defer t.p.mu.Unlock()
	t.p.free = append(t.p.free, t)
}
