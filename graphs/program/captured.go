package program

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"t2sda/graphs/engine"
)

// captured is a program's session whose runs are captured (CUDA graphs), see
// [engine.Session.Captured]: all of its memory is the device's, at places that never change. What
// is the host's is copied there before a run, and back after it.
type captured struct {
	engine  *engine.Engine
	name    string
	arena   *engine.DeviceArena // of what is the host's; nil for nothing
	in, out *engine.Copies      // nil for nothing
	binding *engine.Binding
	inPlace []*engine.Tensor // what the session reads and writes there; nil once it has run
	begun   bool
}

// capture ties a captured session to memory: the device's where it lies, and places on the
// device for the host's.
func capture(e *engine.Engine, session *engine.Session, inputs, outputs map[string]*engine.Tensor) (*captured, error) {
	c := &captured{engine: e, name: session.Name()}
	if err := c.bind(session, inputs, outputs); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (c *captured) bind(session *engine.Session, inputs, outputs map[string]*engine.Tensor) (err error) {
	in, out := tensors(inputs), tensors(outputs)
	onHost := func(t *engine.Tensor) bool { return !t.Resident() }
	hostIn, hostOut := filter(in, onHost), filter(out, onHost)
	var places map[*engine.Tensor]*engine.Tensor
	if c.arena, places, err = stage(c.engine, slices.Concat(hostIn, hostOut)); err != nil {
		return err
	}
	at := func(t *engine.Tensor) *engine.Tensor {
		if place, ok := places[t]; ok {
			return place
		}
		return t
	}
	once := distinct(hostIn)
	if c.in, err = copies(c.engine, c.name+"/in", once, each(once, at)); err != nil {
		return err
	}
	if c.out, err = copies(c.engine, c.name+"/out", each(hostOut, at), hostOut); err != nil {
		return err
	}
	placed := func(declared map[string]*engine.Tensor) map[string]*engine.Tensor {
		all := maps.Clone(declared)
		for name, t := range all {
			all[name] = at(t)
		}
		return all
	}
	if c.binding, err = session.Bind(placed(inputs), placed(outputs)); err != nil {
		return err
	}
	c.inPlace = each(distinct(filter(in, func(t *engine.Tensor) bool { return slices.ContainsFunc(out, t.Same) })), at)
	return nil
}

// stage allocates memory of the device's for tensors, and returns the place of each there, one
// place for those that are the same memory.
func stage(e *engine.Engine, all []*engine.Tensor) (a *engine.DeviceArena, places map[*engine.Tensor]*engine.Tensor, err error) {
	if len(all) == 0 {
		return nil, nil, nil
	}
	memories := distinct(all)
	offsets := make([]int, len(memories))
	end := 0
	for i, t := range memories {
		offsets[i] = end
		end += engine.Aligned(engine.DeviceValues(t.DType(), t.Len()), engine.DeviceAlign)
	}
	if a, err = e.NewDeviceArena(max(end, 1)); err != nil { // there may be empty tensors alone
		return nil, nil, err
	}
	places = map[*engine.Tensor]*engine.Tensor{}
	for _, t := range all {
		offset := offsets[slices.IndexFunc(memories, t.Same)]
		if places[t], err = a.ViewOf(t.DType(), offset, t.Shape()...); err != nil {
			return nil, nil, errors.Join(err, a.Close())
		}
	}
	return a, places, nil
}

// copies is what copies tensors, nil for none.
func copies(e *engine.Engine, name string, from, to []*engine.Tensor) (*engine.Copies, error) {
	if len(from) == 0 {
		return nil, nil
	}
	return e.NewCopies(name, from, to)
}

// tensors lists those that have names, in the order of these.
func tensors(named map[string]*engine.Tensor) (all []*engine.Tensor) {
	for _, name := range slices.Sorted(maps.Keys(named)) {
		all = append(all, named[name])
	}
	return all
}

// distinct leaves out tensors that are the memory of one before them.
func distinct(all []*engine.Tensor) (out []*engine.Tensor) {
	for _, t := range all {
		if !slices.ContainsFunc(out, t.Same) {
			out = append(out, t)
		}
	}
	return out
}

func filter(all []*engine.Tensor, want func(*engine.Tensor) bool) (out []*engine.Tensor) {
	for _, t := range all {
		if want(t) {
			out = append(out, t)
		}
	}
	return out
}

func each(all []*engine.Tensor, f func(*engine.Tensor) *engine.Tensor) (out []*engine.Tensor) {
	for _, t := range all {
		out = append(out, f(t))
	}
	return out
}

// Run runs the session on the memory, and captures it first.
func (c *captured) Run(ctx context.Context) error {
	if err := c.in.Run(ctx); err != nil {
		return err
	}
	if !c.begun {
		if err := c.begin(context.WithoutCancel(ctx)); err != nil {
			return fmt.Errorf("its first run, which is captured as a CUDA graph (runtime.cuda.graph=false does without): %w", err)
		}
	}
	if err := c.binding.Run(ctx); err != nil {
		return err
	}
	return c.out.Run(ctx)
}

// begin captures the session, and leaves the memory that it changes in place, which the first run
// changes several times, as it was.
func (c *captured) begin(ctx context.Context) (err error) {
	kept, places, err := stage(c.engine, c.inPlace)
	if err != nil {
		return err
	}
	if kept != nil {
		defer func() { err = errors.Join(err, kept.Close()) }()
	}
	there := each(c.inPlace, func(t *engine.Tensor) *engine.Tensor { return places[t] })
	if err := c.copyOnce(ctx, "/keep", c.inPlace, there); err != nil {
		return err
	}
	if err := errors.Join(c.binding.Run(ctx), c.copyOnce(ctx, "/restore", there, c.inPlace)); err != nil {
		return err
	}
	c.begun, c.inPlace = true, nil
	return nil
}

// copyOnce copies tensors.
func (c *captured) copyOnce(ctx context.Context, name string, from, to []*engine.Tensor) error {
	k, err := copies(c.engine, c.name+name, from, to)
	if err != nil {
		return err
	}
	return errors.Join(k.Run(ctx), k.Close())
}

// Close lets go of the memory.
func (c *captured) Close() error {
	errs := []error{c.in.Close(), c.out.Close()}
	if c.binding != nil {
		errs = append(errs, c.binding.Close())
	}
	if c.arena != nil {
		errs = append(errs, c.arena.Close())
	}
	return errors.Join(errs...)
}

// Capture lets the program's runs be captured where the engine does that (runtime.cuda.graph): for
// networks, whose many small nodes a device waits for otherwise. [Program.Over] is not for such programs.
func (p *Program) Capture() { p.capture = true }
