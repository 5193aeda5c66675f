package orchestrator

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"t2sda/datasets"
	"t2sda/graphs/weights"
	"t2sda/internal/atomicfile"
	"t2sda/internal/sha256sum"
	"t2sda/orchestrator/learner"
)

// progress is a checkpoint's state.json: what training needs besides tensors.
// No generator state is here, because every draw depends on (seed, iteration,
// purpose) only.
type progress struct {
	Iteration     int     `json:"iteration"` // iterations done
	ConfigHash    string  `json:"config_hash"`
	BestMIoU      float64 `json:"best_miou"` // 0 to 1; negative before the first evaluation
	BestIteration int     `json:"best_iteration"`
	EvalPending   bool    `json:"eval_pending,omitempty"` // an interrupt came before this iteration's evaluation
	Seconds       float64 `json:"seconds"`                // of training and evaluation so far, over all processes
	Skipped       skipped `json:"skipped,omitempty"`      // files that training did without so far

	LossScale *learner.LossScale `json:"loss_scale,omitempty"` // of runtime.precision fp16

	Space datasets.Space `json:"space"` // classes by train id

	// Summed says that there must be a file of checksums; checkpoints from before
	// there were any lack both.
	Summed bool `json:"sums,omitempty"`
}

const (
	checkpointDir = "checkpoints"
	lastPrefix    = "iter_" // + iteration, zero-padded: every checkpoint_every iterations
	bestPrefix    = "best_" // likewise: after the best evaluation so far
	stateFile     = "state.json"
	studentFile   = "student.safetensors" // parameters and running statistics
	teacherFile   = "teacher.safetensors"
	optimFile     = "optimizer.safetensors" // AdamW's moments, m/NAME and v/NAME

	// What is being written, and what is being removed, is called otherwise: a process
	// that dies leaves no half a checkpoint under a checkpoint's name.
	writingPrefix = ".writing-"
	removedPrefix = ".removed-"
)

// saveState writes a complete checkpoint directory under a temporary name and
// renames it to dir, so that a reader sees all of it or nothing. What was saved
// before stays untouched when anything fails; what was called dir before is called as
// unfinished work is, for [prune].
func saveState(disk atomicfile.Disk, l *learner.Learner, dir string, p progress) (err error) {
	parent := filepath.Dir(dir)
	if err := disk.MkdirAll(parent); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	temp, err := disk.MkdirTemp(parent, writingPrefix)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	if err = saveFiles(disk, l, temp, p); err == nil {
		err = disk.RenameDir(temp, dir)
	}
	if err != nil {
		return fmt.Errorf("checkpoint %s was not saved: %w", dir, errors.Join(err, disk.RemoveAll(temp)))
	}
	return nil
}

// weightsFile is the file of a part of the learner's state.
func weightsFile(part string) string { return part + ".safetensors" }

// saveFiles writes tensors, progress and the checksums of both.
func saveFiles(disk atomicfile.Disk, l *learner.Learner, dir string, p progress) error {
	written := sums{}
	for _, part := range l.Parts() {
		tensors, err := part.Tensors()
		if err != nil {
			return err
		}
		err = written.write(disk, dir, weightsFile(part.Name), func(w io.Writer) error { return weights.Encode(w, tensors, nil) })
		if err != nil {
			return err
		}
	}
	p.Summed, p.LossScale = true, l.LossScale()
	err := written.write(disk, dir, stateFile, func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(p)
	})
	if err != nil {
		return err
	}
	return disk.Write(filepath.Join(dir, sumsFile), sha256sum.List(written))
}

// loadState fills the learner's state from a checkpoint directory whose
// configuration hash must be one of hashes, the run's own first, see [openSaved].
// With the progress of a checkpoint without digests comes [errUnsummed].
func loadState(l *learner.Learner, dir string, hashes ...string) (progress, error) {
	from, err := openSaved(dir, hashes...)
	if err != nil {
		return progress{}, err
	}
	for _, part := range l.Parts() {
		if err := from.load(weightsFile(part.Name), part.Restore); err != nil {
			return from.progress, err
		}
	}
	if err := l.SetLossScale(from.progress.LossScale); err != nil {
		return from.progress, &damagedError{dir, fmt.Errorf("%s: %w", stateFile, err)}
	}
	return from.progress, errors.Join(from.rest(), from.unsummed)
}

// checkpointName is what the name of a checkpoint's directory says.
type checkpointName struct {
	path      string
	iteration int
}

func pathsOf(found []checkpointName) []string {
	paths := make([]string, len(found))
	for i, f := range found {
		paths[i] = f.path
	}
	return paths
}

// checkpoints lists the directories of a run's checkpoints of one kind, oldest first.
func checkpoints(run, prefix string) ([]string, error) {
	found, err := namedCheckpoints(run, prefix)
	return pathsOf(found), err
}

// namedCheckpoints is [checkpoints] with their iterations.
func namedCheckpoints(run, prefix string) ([]checkpointName, error) {
	entries, err := os.ReadDir(filepath.Join(run, checkpointDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var found []checkpointName
	for _, e := range entries {
		digits, ok := strings.CutPrefix(e.Name(), prefix)
		n, err := strconv.Atoi(digits)
		if ok && err == nil && e.IsDir() {
			found = append(found, checkpointName{filepath.Join(run, checkpointDir, e.Name()), n})
		}
	}
	slices.SortFunc(found, func(a, b checkpointName) int { return cmp.Compare(a.iteration, b.iteration) })
	return found, nil
}

func checkpointPath(run, prefix string, iteration int) string {
	return filepath.Join(run, checkpointDir, fmt.Sprintf("%s%06d", prefix, iteration))
}

// checkpoint saves the state, which all ranks have, by the rank that leads.
func (t *trainer) checkpoint(prefix string) error {
	if err := t.sameState(); err != nil {
		return err
	}
	return leaderOnly(t.ranks, func() error { return t.save(prefix) })
}

// save saves the state under the prefix's name for the current iteration and removes what
// is no longer kept. State that is not finite is never saved.
func (t *trainer) save(prefix string) error {
	if err := t.learner.Check(); err != nil {
		return t.explain(t.progress.Iteration-1, err)
	}
	t.progress.Seconds = t.seconds()
	if err := saveState(t.disk, t.learner, checkpointPath(t.dir, prefix, t.progress.Iteration), t.progress); err != nil {
		return err
	}
	if prefix == lastPrefix {
		t.keptBest = t.progress.BestIteration
	}
	// A run that is killed now resumes from the newest checkpoint, whose best
	// one must still be there.
	err := prune(t.disk, t.dir, t.cfg.Train.Keep, t.progress.BestIteration, t.keptBest)
	if err == nil && t.round != nil {
		err = t.forgetRounds()
	}
	if err != nil {
		t.warn(fmt.Sprintf("checkpoint %d is saved, but older ones are still there; they are removed after the next one: %v", t.progress.Iteration, err))
	}
	return nil
}

// seconds is the time that the run has taken: in this process, and in earlier
// ones up to the checkpoint that it resumed from.
func (t *trainer) seconds() float64 { return t.spent + time.Since(t.began).Seconds() }
