package orchestrator

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"go.uber.org/zap"

	"t2sda/configs"
)

// damagedPrefix + the old name is what a damaged checkpoint is called once the run
// has gone on from an earlier one: what is left of it is the user's to look at.
const damagedPrefix = "damaged_"

// resume continues from a checkpoint of the run directory, if there is any: the one from
// which the rank that leads does.
func (t *trainer) resume(strict bool) error {
	from, err := fromLeader(t.ranks, func() (string, error) { return t.resumeNewest(strict) })
	if err != nil || from == "" || t.ranks.Leads() {
		return t.ranks.Agree(err)
	}
	p, err := loadState(t.learner, from, hashes(t.cfg)...)
	if err == nil || errors.Is(err, errUnsummed) {
		t.goOn(from, p)
		err = nil
	}
	return t.ranks.Agree(err)
}

// resumeNewest continues from the newest checkpoint of the run directory that is whole, if
// there is any. Damaged ones before which it goes back are set aside, with a warning
// that says what is wrong with them; with strict, they are an error. A directory whose
// checkpoints are all damaged, or gone, is an error: training must not begin anew unasked.
func (t *trainer) resumeNewest(strict bool) (from string, err error) {
	paths, err := resumable(t.dir)
	if err != nil {
		return "", err
	}
	if len(paths) == 0 {
		return "", t.checkUnsaved()
	}
	var faults []error
	for i, path := range paths {
		p, err := loadState(t.learner, path, hashes(t.cfg)...)
		switch {
		case errors.Is(err, errUnsummed):
			t.log.Warn("resuming from a checkpoint: "+err.Error(), zap.String("checkpoint", path))
		case errors.As(err, new(*damagedError)):
			if strict {
				return "", fmt.Errorf("%w; without --strict the run goes on from the last checkpoint that is whole", err)
			}
			faults = append(faults, err)
			continue
		case err != nil:
			return "", err
		}
		return path, t.resumeAt(path, p, paths[:i], faults)
	}
	return "", fmt.Errorf("none of the run's checkpoints is whole: begin a new run, under another name or without this folder: %w", errors.Join(faults...))
}

// resumeAt goes on from a checkpoint that was loaded; faults say what is wrong with the
// newer ones.
func (t *trainer) resumeAt(path string, p progress, newer []string, faults []error) error {
	for i, bad := range newer {
		aside := filepath.Join(filepath.Dir(bad), damagedPrefix+filepath.Base(bad))
		t.log.Warn(faults[i].Error(), zap.String("going on from", filepath.Base(path)), zap.String("set aside as", filepath.Base(aside)))
		if err := errors.Join(t.disk.RemoveAll(aside), t.disk.Rename(bad, aside)); err != nil {
			return fmt.Errorf("checkpoint %s is damaged, and cannot be set aside: %w", bad, err)
		}
	}
	t.goOn(path, p)
	if c := t.cfg.Train; strings.HasPrefix(filepath.Base(path), bestPrefix) && due(p.Iteration, c.CheckpointEvery, c) {
		return t.save(lastPrefix) // as this iteration left one, or was about to
	}
	return nil
}

// checkUnsaved returns an error where the run has no checkpoint and its events tell of iterations after
// one was made, by the configuration that it was trained by: they would be trained again, and their events
// be gone. Of a checkpoint that was made otherwise, as upon an interrupt, nothing is known.
func (t *trainer) checkUnsaved() error {
	recorded, err := recordedIterations(t.dir)
	if err != nil || recorded == 0 {
		return err
	}
	trained := t.cfg.Train
	if kept, err := configs.Read(filepath.Join(t.dir, ConfigFile)); err == nil {
		trained = kept.Train
	}
	for done := 1; done <= recorded; done++ {
		// The event of an iteration comes before its checkpoint, but for where the run was extended.
		if done < recorded && due(done, trained.CheckpointEvery, trained) || slices.Contains(trained.Extended, done) {
			return fmt.Errorf("%s tells of %d iterations, and %s holds no checkpoint any more: put it back, or begin a new run, under another name or without this folder",
				filepath.Join(t.dir, eventsFile), recorded, filepath.Join(t.dir, checkpointDir))
		}
	}
	t.log.Warn("there is no checkpoint: the run begins again", zap.Int("iterations that were trained", recorded))
	return nil
}

// goOn takes over the progress of a checkpoint whose state was loaded.
func (t *trainer) goOn(path string, p progress) {
	t.progress = p
	t.progress.ConfigHash = t.cfg.Hash() // from here on, if it was saved before an extension
	t.spent, t.keptBest = t.progress.Seconds, t.progress.BestIteration
	t.log.Info("resumed", zap.String("checkpoint", filepath.Base(path)), zap.Int("iteration", t.progress.Iteration))
}

// resumable lists the checkpoints that a run can be resumed from, newest first. The
// best evaluated ones are complete and count, too, once the event of their iteration is
// recorded: a run that was killed before it does the iteration again.
func resumable(run string) ([]string, error) {
	last, errLast := namedCheckpoints(run, lastPrefix)
	best, errBest := namedCheckpoints(run, bestPrefix)
	recorded, errEvents := recordedIterations(run)
	if err := errors.Join(errLast, errBest, errEvents); err != nil {
		return nil, err
	}
	if n := len(last); n > 0 {
		recorded = max(recorded, last[n-1].iteration) // also where events are lost
	}
	best = slices.DeleteFunc(best, func(c checkpointName) bool { return c.iteration > recorded })
	all := slices.Concat(best, last) // of the same iteration the last one goes before the best
	slices.SortStableFunc(all, func(a, b checkpointName) int { return cmp.Compare(a.iteration, b.iteration) })
	slices.Reverse(all)
	return pathsOf(all), nil
}

// recordedIterations is how many iterations a run's events tell of.
func recordedIterations(run string) (n int, err error) {
	events, _, err := readEventLines(filepath.Join(run, eventsFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	for _, e := range events {
		n = max(n, e.Iteration+1)
	}
	return n, nil
}
