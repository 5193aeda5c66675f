package learner

import (
	"context"
	"errors"
	"fmt"

	"t2sda/graphs/engine"
	"t2sda/graphs/program"
	"t2sda/internal/ranks"
)

// waiting is memory in which the gradients of micro-batches wait for those of others, see
// [ranks.Pending]. It is of the state's kind: gradients that are on a device stay there.
type waiting interface {
	keep() error // the gradients wait
	add() error  // gradients ← gradients + what waits
	Close() error
}

// newWaiting makes memory for a state's gradients to wait in.
func newWaiting(e *engine.Engine, s *state) (waiting, error) {
	arena, err := s.arena(s.size)
	if err != nil {
		return nil, fmt.Errorf("memory for gradients of micro-batches: %w", err)
	}
	if s.grads.Host() != nil {
		return &hostWaiting{s.grads, arena}, nil
	}
	w := &graphWaiting{Arena: arena}
	grads, kept := view(s.grads, 0, s.size), view(arena, 0, s.size)
	w.keeps, err = program.New(e, "keep", nil, func(p *program.Program) {
		p.Store("kept", p.Graph().Identity(p.Resident("grads", grads)), kept)
	})
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	w.adds, err = program.New(e, "add", nil, func(p *program.Program) {
		p.Store("sum", p.Graph().Add(p.Resident("grads", grads), p.Resident("kept", kept)), grads)
	})
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return w, nil
}

// hostWaiting is memory that the host may touch.
type hostWaiting struct {
	grads engine.Arena
	engine.Arena
}

func (w *hostWaiting) keep() error { return copyArena(w.Arena, w.grads, w.Len()) }

func (w *hostWaiting) add() error {
	grads, kept := w.grads.Host(), w.Host()
	inParallel(0, len(grads), func(from, to int) { ranks.AddTo(grads[from:to], kept[from:to]) })
	return nil
}

// graphWaiting is memory that only sessions touch.
type graphWaiting struct {
	engine.Arena
	keeps, adds *program.Program
}

// Neither is cut short: the sum must stay whole.

func (w *graphWaiting) keep() error { return w.keeps.Run(context.Background()) }

func (w *graphWaiting) add() error { return w.adds.Run(context.Background()) }

// Close frees sessions and memory.
func (w *graphWaiting) Close() error {
	var errs []error
	for _, p := range []*program.Program{w.keeps, w.adds} {
		if p != nil {
			errs = append(errs, p.Close())
		}
	}
	return errors.Join(append(errs, w.Arena.Close())...)
}
