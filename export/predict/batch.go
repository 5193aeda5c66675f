package predict

import (
	"context"
	"fmt"
	"slices"

	"t2sda/graphs/engine"
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
		err := p.runSlots(ctx, group)
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
