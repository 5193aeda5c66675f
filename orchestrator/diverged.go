package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"t2sda/orchestrator/learner"
)

// explain tells what the error of iteration it, counted from 0 as in the events,
// means where training has diverged, whichever stage noticed it: one that works
// on what the networks gave fails for reasons of its own. Other errors stay as
// they are, with the iteration.
func (t *trainer) explain(it int, err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	what := err
	if !errors.Is(err, learner.ErrNotFinite) {
		if what = t.learner.Suspect(); what == nil {
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
	return fmt.Errorf("the loss diverged at iteration %d (%w): %s", it, what, mend)
}
