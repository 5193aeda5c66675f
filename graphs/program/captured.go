package program

import (
	"context"
	"errors"
	"maps"
	"slices"

	"t2sda/graphs/engine"
)

// captured is a program's session whose runs are captured (CUDA graphs), see
// [engine.Session.Captured]: all of its memory is the device's, at places that never change. What
// is the host's is copied there before a run, and back after it.
type captured struct {
	arena   *engine.DeviceArena // of what is the host's; nil for nothing
	in, out *engine.Copies      // nil for nothing
	binding *engine.Binding

	// The first run changes tensors in place several times: they are kept meanwhile. After it all
	// of it is nil.
	kept          *engine.DeviceArena
	keep, restore *engine.Copies
	begun         bool
}

// deviceAlign is where tensors begin in an arena, in values of 4 bytes: 256 bytes, as the device's
// own allocators have it.
const deviceAlign = 64

// staging lays tensors out in an arena.
type staging struct {
	tensors, places []*engine.Tensor // the place of each in the arena
}

// stage allocates memory of the device's for tensors.
func stage(e *engine.Engine, tensors []*engine.Tensor) (a *engine.DeviceArena, s staging, err error) {
	var offsets []int
	end := 0
	for _, t := range tensors {
		end = (end + deviceAlign - 1) / deviceAlign * deviceAlign
		offsets = append(offsets, end)
		end += engine.DeviceValues(t.DType(), t.Len())
	}
	if end == 0 {
		return nil, s, nil
	}
	if a, err = e.NewDeviceArena(end); err != nil {
		return nil, s, err
	}
	for i, t := range tensors {
		place, err := a.ViewOf(t.DType(), offsets[i], t.Shape()...)
		if err != nil {
			return nil, s, errors.Join(err, a.Close())
		}
		s.tensors, s.places = append(s.tensors, t), append(s.places, place)
	}
	return a, s, nil
}

// of returns a tensor's place, itself if it has none.
func (s staging) of(t *engine.Tensor) *engine.Tensor {
	if i := slices.IndexFunc(s.tensors, t.Same); i >= 0 {
		return s.places[i]
	}
	return t
}

// copies is what copies tensors to their places, or back; nil for none.
func (s staging) copies(e *engine.Engine, name string, tensors []*engine.Tensor, back bool) (*engine.Copies, error) {
	if len(tensors) == 0 {
		return nil, nil
	}
	var places []*engine.Tensor
	for _, t := range tensors {
		places = append(places, s.of(t))
	}
	if back {
		return e.NewCopies(name, places, tensors)
	}
	return e.NewCopies(name, tensors, places)
}

// capture ties a captured session to memory: the device's where it lies, and places on the
// device for the host's.
func capture(e *engine.Engine, session *engine.Session, inputs, outputs map[string]*engine.Tensor) (_ *captured, err error) {
	c := &captured{}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	in, out := distinct(inputs), distinct(outputs)
	onHost := func(t *engine.Tensor) bool { return !t.Resident() }
	var s, kept staging
	if c.arena, s, err = stage(e, unique(slices.Concat(filter(in, onHost), filter(out, onHost)))); err != nil {
		return nil, err
	}
	name := session.Name()
	if c.in, err = s.copies(e, name+"/in", filter(in, onHost), false); err != nil {
		return nil, err
	}
	if c.out, err = s.copies(e, name+"/out", filter(out, onHost), true); err != nil {
		return nil, err
	}
	place := func(declared map[string]*engine.Tensor) map[string]*engine.Tensor {
		placed := maps.Clone(declared)
		for name, t := range placed {
			placed[name] = s.of(t)
		}
		return placed
	}
	if c.binding, err = session.Bind(place(inputs), place(outputs)); err != nil {
		return nil, err
	}
	var inPlace []*engine.Tensor
	for _, t := range in {
		if slices.ContainsFunc(out, t.Same) {
			inPlace = append(inPlace, s.of(t))
		}
	}
	if c.kept, kept, err = stage(e, inPlace); err != nil {
		return nil, err
	}
	if c.keep, err = kept.copies(e, name+"/keep", inPlace, false); err != nil {
		return nil, err
	}
	c.restore, err = kept.copies(e, name+"/restore", inPlace, true)
	return c, err
}

// distinct lists tensors in the order of their names, each memory once.
func distinct(named map[string]*engine.Tensor) []*engine.Tensor {
	var all []*engine.Tensor
	for _, name := range slices.Sorted(maps.Keys(named)) {
		all = append(all, named[name])
	}
	return unique(all)
}

// unique leaves out what is the memory of a tensor before it.
func unique(tensors []*engine.Tensor) (out []*engine.Tensor) {
	for _, t := range tensors {
		if !slices.ContainsFunc(out, t.Same) {
			out = append(out, t)
		}
	}
	return out
}

func filter(tensors []*engine.Tensor, want func(*engine.Tensor) bool) (out []*engine.Tensor) {
	for _, t := range tensors {
		if want(t) {
			out = append(out, t)
		}
	}
	return out
}

// run runs the session on the memory, and captures it first.
func (c *captured) run(ctx context.Context) error {
	if err := c.in.Run(ctx); err != nil {
		return err
	}
	if !c.begun {
		if err := c.begin(context.WithoutCancel(ctx)); err != nil {
			return err
		}
	}
	if err := c.binding.Run(ctx); err != nil {
		return err
	}
	return c.out.Run(ctx)
}

// begin captures the session, and leaves the memory that it changes in place as it was.
func (c *captured) begin(ctx context.Context) error {
	if err := c.keep.Run(ctx); err != nil {
		return err
	}
	if err := errors.Join(c.binding.Run(ctx), c.restore.Run(ctx)); err != nil {
		return err
	}
	c.begun = true
	return c.forget()
}

// forget frees what the first run alone needed.
func (c *captured) forget() error {
	err := errors.Join(c.keep.Close(), c.restore.Close())
	if c.kept != nil {
		err = errors.Join(err, c.kept.Close())
	}
	c.keep, c.restore, c.kept = nil, nil, nil
	return err
}

// Close lets go of the memory.
func (c *captured) Close() error {
	errs := []error{c.forget(), c.in.Close(), c.out.Close()}
	if c.binding != nil {
		errs = append(errs, c.binding.Close())
	}
	if c.arena != nil {
		errs = append(errs, c.arena.Close())
	}
	return errors.Join(errs...)
}

// Capture lets the program's runs be captured where the engine does that ([engine.Options.CUDA]):
// for networks, whose many small nodes a device waits for otherwise.
func (p *Program) Capture() { p.capture = true }
