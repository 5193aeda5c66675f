package predict

import (
	"context"
	"fmt"
	"math"
	"slices"

	"t2sda/graphs/engine"
	"t2sda/internal/pad"
)

// SharesRuns reports whether images of one size may go through the model in one run:
// each takes a single run, and the model leaves open how many images it takes.
func (p *Predictor) SharesRuns() bool {
	open := func(i []int) bool { return len(i) > 0 && i[0] < 0 }
	return p.infer.direct() && len(p.in.dims) == 4 && open(p.in.dims) && (p.out.Unranked || open(p.out.Dims))
}

// RunTogether is [Task.Run] for several filled tasks of this predictor: those whose
// images have one size share a run where the model lets them ([Predictor.SharesRuns]),
// the others run one after the other. It returns an error per task.
func (p *Predictor) RunTogether(ctx context.Context, tasks []*Task) []error {
	return p.together(ctx, tasks, p.runSlots)
}

// RunAlike is [Predictor.RunTogether] with the results of single runs, bit by bit: the first
// images of a size, and of a number of them, go through the model both ways, and share runs
// from then on where that made no difference. Where it did, [Predictor.Differs] reports so.
func (p *Predictor) RunAlike(ctx context.Context, tasks []*Task) []error {
	return p.together(ctx, tasks, p.runAlike)
}

// Differs reports whether [Predictor.RunAlike] found that images that share runs get other
// results than alone, and so runs them alone.
func (p *Predictor) Differs() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, same := range p.alike {
		if !same {
			return true
		}
	}
	return false
}

// together runs tasks, those of one size by share.
func (p *Predictor) together(ctx context.Context, tasks []*Task, share func(context.Context, []*slot) error) []error {
	faults := make([]error, len(tasks))
	done := make([]bool, len(tasks))
	for i, t := range tasks {
		if done[i] {
			continue
		}
		group, at := []*slot{t.slots[0]}, []int{i}
		for k := i + 1; k < len(tasks) && p.SharesRuns(); k++ {
			if !done[k] && t.slots[0].joins(tasks[k].slots[0]) {
				group, at = append(group, tasks[k].slots[0]), append(at, k)
			}
		}
		if len(group) == 1 {
			faults[i] = t.Run(ctx)
			continue
		}
		err := share(ctx, group)
		if err != nil {
			err = fmt.Errorf("model %s: %w", p.name, err)
		}
		for _, k := range at {
			done[k], faults[k] = true, err
		}
	}
	return faults
}

// joins reports whether two slots' inputs may share a run: their sizes are equal, and
// what an output of that size looks like is known.
func (s *slot) joins(o *slot) bool {
	return s.binding != nil && o.binding != nil && s.size == o.size && s.own() == o.own()
}

// runSlots runs the session once on the inputs of several slots, and gives each its
// part of the output.
func (p *Predictor) runSlots(ctx context.Context, slots []*slot) error {
	inputs := make([]*engine.Tensor, len(slots))
	for i, s := range slots {
		inputs[i] = s.in
	}
	joined, err := join(inputs)
	if err != nil {
		return err
	}
	results, err := p.session.Run(ctx, map[string]*engine.Tensor{p.in.name: joined})
	if err != nil {
		return err
	}
	out, want := results[p.out.Name], slots[0].out.Shape()
	want[0] = len(slots)
	if !slices.Equal(out.Shape(), want) {
		return fmt.Errorf("output %q has shape %s for %d images, want %s", p.out.Name, engine.ShapeText(out.Shape()), len(slots), engine.ShapeText(want))
	}
	for i, s := range slots {
		if err := cutTo(s.out, out, i); err != nil {
			return err
		}
	}
	return nil
}

// company is a number of images of one size.
type company struct {
	size pad.Size
	n    int
}

// runAlike runs the session on several slots, once if that gives what single runs give.
func (p *Predictor) runAlike(ctx context.Context, slots []*slot) error {
	key := company{slots[0].own(), len(slots)}
	p.mu.Lock()
	same, known := p.alike[key]
	p.mu.Unlock()
	if same {
		return p.runSlots(ctx, slots)
	}
	outputs := make([]*engine.Tensor, len(slots))
	for i, s := range slots {
		if err := s.run(ctx); err != nil {
			return err
		}
		outputs[i] = s.out
	}
	if known {
		return nil
	}
	alone, err := join(outputs)
	if err != nil {
		return err
	}
	if err := p.runSlots(ctx, slots); err != nil {
		return err
	}
	shared, err := join(outputs)
	if err != nil {
		return err
	}
	if same, err = equal(alone, shared); err != nil {
		return err
	}
	p.mu.Lock()
	p.alike[key] = same
	p.mu.Unlock()
	for i := 0; i < len(slots) && !same; i++ {
		if err := cutTo(outputs[i], alone, i); err != nil {
			return err
		}
	}
	return nil
}

// equal reports whether two tensors of one type hold the same bits.
func equal(a, b *engine.Tensor) (bool, error) {
	switch a.DType() {
	case engine.Float32:
		return equalOf(a, b, func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) })
	case engine.Uint8:
		return equalOf(a, b, func(x, y uint8) bool { return x == y })
	case engine.Int32:
		return equalOf(a, b, func(x, y int32) bool { return x == y })
	case engine.Int64:
		return equalOf(a, b, func(x, y int64) bool { return x == y })
	}
	return equalOf(a, b, func(x, y bool) bool { return x == y })
}

func equalOf[T engine.Element](a, b *engine.Tensor, same func(x, y T) bool) (bool, error) {
	x, err := engine.Data[T](a)
	if err != nil {
		return false, err
	}
	y, err := engine.Data[T](b)
	return err == nil && slices.EqualFunc(x, y, same), err
}

// join makes one tensor of several of one shape, along the first axis.
func join(parts []*engine.Tensor) (*engine.Tensor, error) {
	dims := parts[0].Shape()
	dims[0] = len(parts)
	all, err := engine.NewTensorOf(parts[0].DType(), dims)
	if err != nil {
		return nil, err
	}
	for i, part := range parts {
		if err := copyPart(all, part, i*part.Len(), 0, part.Len()); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// cutTo fills a tensor with the i-th part of one that holds several.
func cutTo(part, all *engine.Tensor, i int) error {
	return copyPart(part, all, 0, i*part.Len(), part.Len())
}

// copyPart copies n elements between tensors of one type.
func copyPart(dst, src *engine.Tensor, to, from, n int) error {
	switch dst.DType() {
	case engine.Float32:
		return copyOf[float32](dst, src, to, from, n)
	case engine.Uint8:
		return copyOf[uint8](dst, src, to, from, n)
	case engine.Int32:
		return copyOf[int32](dst, src, to, from, n)
	case engine.Int64:
		return copyOf[int64](dst, src, to, from, n)
	}
	return copyOf[bool](dst, src, to, from, n)
}

func copyOf[T engine.Element](dst, src *engine.Tensor, to, from, n int) error {
	d, err := engine.Data[T](dst)
	if err != nil {
		return err
	}
	s, err := engine.Data[T](src)
	if err != nil {
		return err
	}
	copy(d[to:], s[from:from+n])
	return nil
}
