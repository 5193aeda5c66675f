package orchestrator

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"t2sda/internal/atomicfile"
)

// prune removes all but the last keep checkpoints and the best ones of the
// iterations best, and what [removeUnfinished] does. They are renamed first, so that
// nothing is called a checkpoint of which a part is missing.
func prune(disk atomicfile.Disk, run string, keep int, best ...int) error {
	doomed, lastErr := checkpoints(run, lastPrefix)
	doomed = doomed[:max(0, len(doomed)-keep)]
	bests, bestErr := checkpoints(run, bestPrefix)
	for _, path := range bests {
		named := func(iteration int) bool { return path == checkpointPath(run, bestPrefix, iteration) }
		if !slices.ContainsFunc(best, named) {
			doomed = append(doomed, path)
		}
	}
	errs := []error{lastErr, bestErr}
	for _, path := range doomed {
		aside := filepath.Join(filepath.Dir(path), removedPrefix+filepath.Base(path))
		errs = append(errs, disk.RemoveAll(aside), disk.Rename(path, aside))
	}
	return errors.Join(append(errs, removeUnfinished(disk, run))...)
}

// removeUnfinished removes what processes that died while they wrote or removed a run's
// checkpoints have left. It is for who holds the run's lock.
func removeUnfinished(disk atomicfile.Disk, run string) error {
	dir := filepath.Join(run, checkpointDir)
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var errs []error
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), writingPrefix) || strings.HasPrefix(e.Name(), removedPrefix) {
			errs = append(errs, disk.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	return errors.Join(errs...)
}
