package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"t2sda/configs"
	"t2sda/graphs/engine"
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
	if engine.OutOfMemory(err) {
		return t.outOfMemory(it, err)
	}
	what := err
	if !errors.Is(err, learner.ErrNotFinite) {
		if what = t.learner.Suspect(); what == nil {
			return fmt.Errorf("iteration %d: %w", it, err)
		}
	}
	mend := fmt.Sprintf("lower train.lr (now %g) or lengthen train.warmup (now %d) in a new run", t.cfg.Train.LR, t.cfg.Train.Warmup)
	switch {
	case errors.Is(what, learner.ErrDiscriminator):
		mend = fmt.Sprintf("lower loss.adversarial.lr (now %g) in a new run", t.cfg.Loss.Adversarial.LR)
	case errors.Is(what, learner.ErrClassDiscriminator):
		mend = fmt.Sprintf("lower loss.class_adversarial.lr (now %g) in a new run", t.cfg.Loss.ClassAdversarial.LR)
	case t.cfg.Precision() == configs.FP16:
		mend = "numbers beyond 65504 are infinite in float16: take runtime.precision=bf16 or tf32, or " + mend
	}
	switch saved := t.lastSaved(); {
	case t.progress.Iteration == 0:
		mend = "no step has been made yet: look at the weights of model.init, or " + mend
	case saved != "":
		mend += "; what was saved last, " + saved + ", is kept"
	}
	return fmt.Errorf("the loss diverged at iteration %d (%w): %s", it, what, mend)
}

// outOfMemory tells what to lower. Nothing is saved: an iteration under way has changed
// gradients only, but what is left of the memory may not do for a checkpoint.
func (t *trainer) outOfMemory(it int, err error) error {
	kept := "nothing has been saved yet"
	if saved := t.lastSaved(); saved != "" {
		kept = saved + " is kept: --resume continues from it"
	}
	return fmt.Errorf("iteration %d: %s; %s: %w", it, lessMemory(t.cfg), kept, err)
}

// lessMemory is what to do where memory does not do.
func lessMemory(c configs.Config) string {
	return fmt.Sprintf("there is not enough memory: lower train.batch (now %d) or data.crop (now %d×%d), or take a smaller model.encoder, and free memory that other programs hold",
		c.Train.Batch, c.Data.Crop.Width, c.Data.Crop.Height)
}

// explainBuild tells what to lower where a learner cannot be made for want of memory.
func explainBuild(c configs.Config, err error) error {
	if engine.OutOfMemory(err) {
		return fmt.Errorf("before the first iteration: %s: %w", lessMemory(c), err)
	}
	return err
}

// lastSaved names the checkpoint that the run would be resumed from, "" if there is none.
func (t *trainer) lastSaved() string {
	saved, _ := resumable(t.dir) // the error that is told of counts, and no second one
	if len(saved) == 0 {
		return ""
	}
	return filepath.Base(saved[0])
}
