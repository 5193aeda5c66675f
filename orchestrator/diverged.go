package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
)

// errNotFinite marks an error that says what is NaN or infinite. Loss, gradient
// and weights are looked at where they are made.
var errNotFinite = errors.New("not finite")

// notFiniteError says what is not finite.
type notFiniteError string

func (e notFiniteError) Error() string { return string(e) }

func (notFiniteError) Is(target error) bool { return target == errNotFinite }

// explain tells what the error of iteration it, counted from 0 as in the events,
// means where training has diverged, whichever stage noticed it: one that works
// on what the networks gave fails for reasons of its own. Other errors stay as
// they are, with the iteration.
func (t *trainer) explain(it int, err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	what := err.Error()
	if !errors.Is(err, errNotFinite) {
		if what = t.suspect(); what == "" {
			return fmt.Errorf("iteration %d: %w", it, err)
		}
	}
	mend := fmt.Sprintf("lower train.lr (now %g) or lengthen train.warmup (now %d) in a new run", t.cfg.Train.LR, t.cfg.Train.Warmup)
	switch saved, _ := checkpoints(t.dir, lastPrefix); {
	case t.progress.Iteration == 0:
		mend = "no step has been made yet: look at the weights of model.init, or " + mend
	case len(saved) > 0:
		mend += "; what was saved last, " + filepath.Base(saved[len(saved)-1]) + ", is kept"
	}
	return notFiniteError(fmt.Sprintf("the loss diverged at iteration %d (%s): %s", it, what, mend))
}

// suspect names what is not finite of the state, or of what the networks gave
// last; empty for nothing.
func (t *trainer) suspect() string {
	if what := t.state.notFinite(); what != "" {
		return what + " is not finite"
	}
	for _, n := range []*teacher{t.target, t.keys} {
		if n != nil && !(allFinite(n.confidence) && allFinite(n.features)) {
			return n.name + ": its output is not finite"
		}
	}
	return ""
}
