package predict

import (
	"errors"
	"fmt"

	"t2sda/graphs/engine"
	"t2sda/internal/limit"
)

// kind is what an output's values mean.
type kind int

const (
	logits kind = iota // one channel per class
	scores             // one channel: the second of two classes where it is above a threshold
	ids                // a label map
)

// grid is how one run's output lies in memory.
type grid struct {
	kind    kind
	c, h, w int  // c: channels of logits
	last    bool // channels last
}

// reading is what an output's shape is understood by.
type reading struct {
	classes   classes
	threshold *float64 // nil: an output of one channel is a label map
}

// grid reads the shape of an output without free dimensions, which has no more pixels
// than an image.
func (r reading) grid(name string, t engine.DType, dims []int) (grid, error) {
	g, err := r.shape(name, t, dims)
	if err == nil {
		if err = limit.Check(g.w, g.h); err != nil {
			err = fmt.Errorf("output %q: %w", name, err)
		}
	}
	return g, err
}

// shape is [reading.grid] of any size.
func (r reading) shape(name string, t engine.DType, dims []int) (grid, error) {
	d := dims
	if len(d) > 2 && d[0] == 1 {
		d = d[1:] // batch
	}
	for _, n := range dims {
		if n < 1 {
			return grid{}, fmt.Errorf("output %q has shape %s, want no empty dimension", name, engine.ShapeText(dims))
		}
	}
	if t == engine.Float32 && len(d) == 3 {
		if g, err := r.channels(d); err == nil || d[0] > 1 && d[2] > 1 {
			return g, wrapShape(name, dims, err)
		}
	}
	if len(d) == 3 && d[0] == 1 {
		d = d[1:]
	} else if len(d) == 3 && d[2] == 1 {
		d = d[:2]
	}
	switch {
	case (len(d) != 2 || len(dims) < 3) && t == engine.Float32:
		return grid{}, fmt.Errorf("output %q has shape %s, want logits [1,classes,height,width] or [1,height,width,classes], or a label map [1,height,width]", name, engine.ShapeText(dims))
	case len(d) != 2:
		return grid{}, fmt.Errorf("output %q has shape %s, want a label map [1,height,width]", name, engine.ShapeText(dims))
	case r.threshold == nil:
		return grid{kind: ids, h: d[0], w: d[1]}, nil
	case t != engine.Float32:
		return grid{}, fmt.Errorf("output %q holds %v: a threshold is for one channel of float32 or float16", name, t)
	}
	if err := r.classes.accepts(2); err != nil {
		return grid{}, fmt.Errorf("output %q has one channel, which a threshold makes two classes: %w", name, err)
	}
	return grid{kind: scores, c: 2, h: d[0], w: d[1]}, nil
}

// channels reads [C,H,W] or [H,W,C] as logits of the classes.
func (r reading) channels(d []int) (grid, error) {
	first, last := r.classes.accepts(d[0]), r.classes.accepts(d[2])
	switch {
	case first != nil && last != nil:
		return grid{}, first
	case r.threshold != nil:
		return grid{}, errors.New("a threshold is for an output of one channel")
	case first != nil:
		return grid{kind: logits, c: d[2], h: d[0], w: d[1], last: true}, nil
	}
	return grid{kind: logits, c: d[0], h: d[1], w: d[2]}, nil
}

func wrapShape(name string, dims []int, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("output %q has logits of shape %s: %w", name, engine.ShapeText(dims), err)
}
