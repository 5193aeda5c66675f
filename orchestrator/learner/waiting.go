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
// [ranks.Pending], in slots. It is of the state's kind: gradients that are on a device stay
// there, and sessions move them.
type waiting struct {
	grads       engine.Arena
	slots       []slot
	keeps, adds *program.Program // over the first slot; nil where the host may touch gradients
}

// slot is memory for gradients. Bindings are nil where the host may touch it.
type slot struct {
	engine.Arena
	keeps, adds *engine.Binding
}

// newWaiting makes n slots for a state's gradients.
func newWaiting(e *engine.Engine, s *state, n int) (_ *waiting, err error) {
	w := &waiting{grads: s.grads}
	defer func() {
		if err != nil {
			err = errors.Join(err, w.Close())
		}
	}()
	for i := range n {
		arena, err := s.arena(s.size)
		if err != nil {
			return nil, fmt.Errorf("memory for gradients of micro-batches: %w", err)
		}
		w.slots = append(w.slots, slot{Arena: arena})
		if s.grads.Host() != nil {
			continue
		}
		if i == 0 {
			if err := w.open(e, s.size); err != nil {
				return nil, err
			}
		}
		if err := w.bind(&w.slots[i], s.size); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// kept names the slot in the programs.
const kept = "kept"

// open makes the programs, over the first slot.
func (w *waiting) open(e *engine.Engine, n int) (err error) {
	grads, first := view(w.grads, 0, n), view(w.slots[0], 0, n)
	w.keeps, err = program.New(e, "keep", nil, func(p *program.Program) {
		p.Store(kept, p.Graph().Identity(p.Resident("grads", grads)), first)
	})
	if err != nil {
		return err
	}
	w.adds, err = program.New(e, "add", nil, func(p *program.Program) {
		p.Store("sum", p.Graph().Add(p.Resident("grads", grads), p.Resident(kept, first)), grads)
	})
	return err
}

// bind lets the programs run over a slot.
func (w *waiting) bind(s *slot, n int) (err error) {
	memory := map[string]*engine.Tensor{kept: view(s, 0, n)}
	if s.keeps, err = w.keeps.Over(memory); err != nil {
		return err
	}
	s.adds, err = w.adds.Over(memory)
	return err
}

// keep lets the gradients wait in a slot. Like add it is not cut short: sums stay whole.
func (w *waiting) keep(i int) error {
	s := w.slots[i]
	if s.keeps == nil {
		return copyArena(s.Arena, w.grads, s.Len())
	}
	return s.keeps.Run(context.Background())
}

// add adds to the gradients what waits in a slot.
func (w *waiting) add(i int) error {
	s := w.slots[i]
	if s.adds != nil {
		return s.adds.Run(context.Background())
	}
	grads, kept := w.grads.Host(), s.Host()
	inParallel(0, len(grads), func(from, to int) { ranks.AddTo(grads[from:to], kept[from:to]) })
	return nil
}

// Close frees sessions, with their bindings, and memory.
func (w *waiting) Close() error {
	var errs []error
	for _, p := range []*program.Program{w.keeps, w.adds} {
		if p != nil {
			errs = append(errs, p.Close())
		}
	}
	for _, s := range w.slots {
		errs = append(errs, s.Arena.Close())
	}
	return errors.Join(errs...)
}
