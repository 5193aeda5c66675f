package orchestrator

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"t2sda/graphs/weights"
	"t2sda/internal/sha256sum"
)

// saved is a checkpoint directory that is read: each of its files once, and what
// is in it compared with its digest before it is used.
type saved struct {
	dir      string
	sums     sums // of the files that were not read yet; nil where nothing tells
	progress progress
	// unsummed is [errUnsummed] for a checkpoint from before there were digests.
	unsummed error
}

// openSaved reads the sums and the state.json of a checkpoint directory whose
// configuration hash must be one of hashes, the run's own first; without any it may
// be another's. What a complete checkpoint cannot lack or hold is a [damagedError].
func openSaved(dir string, hashes ...string) (*saved, error) {
	s := &saved{dir: dir}
	err := s.openSums()
	if err != nil {
		return nil, &damagedError{dir, err}
	}
	path := filepath.Join(dir, stateFile)
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &damagedError{dir, err}
	case err != nil:
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	if err := s.compare(stateFile, sha256sum.Of(text)); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &s.progress); err != nil {
		return nil, &damagedError{dir, fmt.Errorf("%s: %w", stateFile, err)}
	}
	if n := s.progress.Iteration; n < 0 {
		return nil, &damagedError{dir, fmt.Errorf("%s: iteration %d", stateFile, n)}
	}
	if len(hashes) > 0 && !slices.Contains(hashes, s.progress.ConfigHash) {
		return nil, fmt.Errorf("checkpoint %s belongs to another configuration (hash %s, this run has %s): resume with the run's own config.yaml or start in another directory", dir, s.progress.ConfigHash, hashes[0])
	}
	if s.unsummed != nil && s.progress.Summed {
		return nil, &damagedError{dir, fmt.Errorf("its %s is missing", sumsFile)}
	}
	return s, nil
}

// openSums reads the digests, which must be those of all files that are used.
func (s *saved) openSums() (err error) {
	s.sums, err = readSums(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		s.unsummed = errUnsummed
		return nil
	}
	if err != nil {
		return err
	}
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if name := e.Name(); s.sums[name] == "" && (name == stateFile || filepath.Ext(name) == filepath.Ext(studentFile)) {
			return fmt.Errorf("its %s does not list %s", sumsFile, name)
		}
	}
	return nil
}

// compare holds the digest of what was read of a file against what was written.
func (s *saved) compare(name, have string) error {
	if want := s.sums[name]; want != "" && have != want {
		return &damagedError{s.dir, changedError(name)}
	}
	delete(s.sums, name)
	return nil
}

// load hands the tensors of a file, which is told by its path, to use. It does not
// where the file is damaged.
func (s *saved) load(name string, use func(path string, have []weights.Tensor) error) error {
	path := filepath.Join(s.dir, name)
	have, err := loadSummed(path, s.sums[name])
	switch {
	case err != nil && s.sums != nil:
		return &damagedError{s.dir, err}
	case err != nil:
		return fmt.Errorf("checkpoint: %w", err)
	}
	delete(s.sums, name)
	if err := use(path, have); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return nil
}

// fill copies the tensors of a file over the data of want, by name; both must
// hold the same names in the same shapes.
func (s *saved) fill(name string, want []weights.Tensor) error {
	return s.load(name, func(path string, have []weights.Tensor) error { return weights.Assign(path, want, have) })
}

// rest compares the files that were not asked for.
func (s *saved) rest() error {
	for _, name := range slices.Sorted(maps.Keys(s.sums)) {
		f, err := openSummed(filepath.Join(s.dir, name))
		if err != nil {
			return &damagedError{s.dir, err}
		}
		have, err := f.close()
		if err != nil {
			return &damagedError{s.dir, err}
		}
		if err := s.compare(name, have); err != nil {
			return err
		}
	}
	return nil
}
