package orchestrator

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"t2sda/datasets"
	"t2sda/graphs/engine"
	"t2sda/graphs/weights"
	"t2sda/internal/atomicfile"
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
)

// save writes a complete checkpoint directory under a temporary name and
// renames it to dir, so that a reader sees all of it or nothing. What was saved
// before stays untouched when anything fails.
func (s *state) save(dir string, p progress) (err error) {
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	temp, err := os.MkdirTemp(parent, ".writing-*")
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("checkpoint %s was not saved: %w", dir, errors.Join(err, os.RemoveAll(temp)))
		}
	}()
	if err := s.saveFiles(temp, p); err != nil {
		return err
	}
	return atomicfile.RenameDir(temp, dir)
}

// files lists the tensors of each of a checkpoint's files. They share the
// state's memory.
func (s *state) files() map[string][]weights.Tensor {
	files := map[string][]weights.Tensor{
		studentFile: append(s.tensors("", s.student), s.bufferTensors()...),
		optimFile:   append(s.tensors("m/", s.moment1), s.tensors("v/", s.moment2)...),
	}
	if s.teacher != nil {
		files[teacherFile] = s.tensors("", s.teacher)
	}
	return files
}

// saveFiles writes tensors, progress and the checksums of both.
func (s *state) saveFiles(dir string, p progress) error {
	files, written := s.files(), sums{}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		err := written.write(dir, name, func(w io.Writer) error { return weights.Encode(w, files[name], nil) })
		if err != nil {
			return err
		}
	}
	p.Summed = true
	err := written.write(dir, stateFile, func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(p)
	})
	if err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(dir, sumsFile), written.text())
}

// load fills the state from a checkpoint directory whose configuration hash
// must be one of hashes, the run's own first, see [openSaved]. With the progress of
// a checkpoint without digests comes [errUnsummed].
func (s *state) load(dir string, hashes ...string) (progress, error) {
	from, err := openSaved(dir, hashes...)
	if err != nil {
		return progress{}, err
	}
	files := s.files()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := from.fill(name, files[name]); err != nil {
			return from.progress, err
		}
	}
	return from.progress, errors.Join(from.rest(), from.unsummed)
}

// checkpoints lists a run's checkpoints of one kind, oldest first.
func checkpoints(run, prefix string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(run, checkpointDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	type numbered struct {
		path      string
		iteration int
	}
	var found []numbered
	for _, e := range entries {
		digits, ok := strings.CutPrefix(e.Name(), prefix)
		n, err := strconv.Atoi(digits)
		if ok && err == nil && e.IsDir() {
			found = append(found, numbered{filepath.Join(run, checkpointDir, e.Name()), n})
		}
	}
	slices.SortFunc(found, func(a, b numbered) int { return cmp.Compare(a.iteration, b.iteration) })
	paths := make([]string, len(found))
	for i, f := range found {
		paths[i] = f.path
	}
	return paths, nil
}

// prune removes all but the last keep checkpoints and the best ones of the
// iterations best, and whatever a killed run left half written.
func prune(run string, keep int, best ...int) error {
	doomed, err := filepath.Glob(filepath.Join(run, checkpointDir, ".writing-*"))
	last, lastErr := checkpoints(run, lastPrefix)
	doomed = append(doomed, last[:max(0, len(last)-keep)]...)
	bests, bestErr := checkpoints(run, bestPrefix)
	for _, path := range bests {
		named := func(iteration int) bool { return path == checkpointPath(run, bestPrefix, iteration) }
		if !slices.ContainsFunc(best, named) {
			doomed = append(doomed, path)
		}
	}
	errs := []error{err, lastErr, bestErr}
	for _, p := range doomed {
		errs = append(errs, os.RemoveAll(p))
	}
	return errors.Join(errs...)
}

func checkpointPath(run, prefix string, iteration int) string {
	return filepath.Join(run, checkpointDir, fmt.Sprintf("%s%06d", prefix, iteration))
}

// checkpoint saves the state under the prefix's name for the current iteration
// and removes what is no longer kept. State that is not finite is never saved.
func (t *trainer) checkpoint(prefix string) error {
	if what := t.state.notFinite(); what != "" {
		return t.explain(t.progress.Iteration-1, notFiniteError(what+" is not finite"))
	}
	t.progress.Seconds = t.seconds()
	if err := t.state.save(checkpointPath(t.dir, prefix, t.progress.Iteration), t.progress); err != nil {
		return err
	}
	if prefix == lastPrefix {
		t.keptBest = t.progress.BestIteration
	}
	// A run that is killed now resumes from the newest checkpoint, whose best
	// one must still be there.
	return prune(t.dir, t.cfg.Train.Keep, t.progress.BestIteration, t.keptBest)
}

// notFinite names what holds a NaN or an infinity, empty for nothing.
func (s *state) notFinite() string {
	for _, a := range []struct {
		name  string
		arena *engine.Arena
	}{
		{"a weight of the student", s.student},
		{"a weight of the teacher", s.teacher},
		{"a first moment of AdamW", s.moment1},
		{"a second moment of AdamW", s.moment2},
	} {
		if a.arena != nil && !allFinite(a.arena.Floats()) {
			return a.name
		}
	}
	for _, name := range s.order {
		if !allFinite(s.buffers[name]) {
			return name
		}
	}
	return ""
}

// seconds is the time that the run has taken: in this process, and in earlier
// ones up to the checkpoint that it resumed from.
func (t *trainer) seconds() float64 { return t.spent + time.Since(t.began).Seconds() }

// resume continues from the newest checkpoint of the run directory, if it has
// one.
func (t *trainer) resume() error {
	paths, err := checkpoints(t.dir, lastPrefix)
	if err != nil || len(paths) == 0 {
		return err
	}
	newest := paths[len(paths)-1]
	t.progress, err = t.state.load(newest, hashes(t.cfg)...)
	damaged := new(damagedError)
	switch {
	case errors.Is(err, errUnsummed):
		t.log.Warn("resuming from a checkpoint: "+err.Error(), zap.String("checkpoint", newest))
	case errors.As(err, &damaged) && len(paths) > 1:
		return fmt.Errorf("%w; remove that folder to continue from %s", err, filepath.Base(paths[len(paths)-2]))
	case err != nil:
		return err
	}
	t.progress.ConfigHash = t.cfg.Hash() // from here on, if it was saved before an extension
	t.spent, t.keptBest = t.progress.Seconds, t.progress.BestIteration
	t.log.Info("resumed", zap.String("checkpoint", filepath.Base(newest)), zap.Int("iteration", t.progress.Iteration))
	return nil
}
