package learner

import (
	"context"
	"errors"
	"fmt"

	"t2sda/graphs/engine"
	"t2sda/graphs/program"
	"t2sda/internal/finite"
)

// ErrNotFinite marks an error that says what is NaN or infinite. Loss, gradient
// and weights are looked at where they are made.
var ErrNotFinite = errors.New("not finite")

// NotFiniteError is an [ErrNotFinite] that says what is not finite.
type NotFiniteError string

func (e NotFiniteError) Error() string { return string(e) }

func (NotFiniteError) Is(target error) bool { return target == ErrNotFinite }

// notFiniteMark is what other ranks know such an error by.
const notFiniteMark = "not finite"

// Mark implements [ranks.Marked].
func (NotFiniteError) Mark() string { return notFiniteMark }

// Check returns an [ErrNotFinite] that names what of the state holds a NaN or an
// infinity, nil for nothing.
func (l *Learner) Check() error {
	if err := l.state.check(); err != nil {
		return err
	}
	for _, d := range l.discriminators {
		if err := d.check(); err != nil {
			return err
		}
	}
	return nil
}

// Suspect is Check for the state and for what the teachers gave last: of an
// iteration that failed for another reason, one of these may be the cause.
func (l *Learner) Suspect() error {
	if err := l.Check(); err != nil {
		return err
	}
	for _, t := range l.teachers {
		if err := t.suspect(); err != nil {
			return err
		}
	}
	return nil
}

// runFinite runs a program whose outputs shall be finite; errors call it by name.
func runFinite(ctx context.Context, p *program.Program, name string, outputs ...[]float32) error {
	if err := p.Run(ctx); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	for _, out := range outputs {
		if !finite.All(out) {
			return notFiniteOutput(name)
		}
	}
	return nil
}

func notFiniteOutput(name string) error { return NotFiniteError(name + ": its output is not finite") }

func (s *state) check() error {
	for _, a := range []struct {
		name  string
		arena engine.Arena
	}{
		{"a weight of the " + s.who, s.student},
		{"a weight of the teacher", s.teacher},
		{"a first moment of AdamW", s.moment1},
		{"a second moment of AdamW", s.moment2},
	} {
		if a.arena == nil {
			continue
		}
		err := inChunks(a.arena, s.size, func(_ int, part []float32) error {
			if !finite.All(part) {
				return NotFiniteError(a.name + " is not finite")
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	for _, name := range s.order {
		if !finite.All(s.buffers[name]) {
			return NotFiniteError(name + " is not finite")
		}
	}
	return nil
}
