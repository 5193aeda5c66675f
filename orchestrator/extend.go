package orchestrator

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"go.uber.org/zap"

	"t2sda/configs"
	"t2sda/orchestrator/learner"
)

// extended returns the configuration of the finished run in dir for o.Extend
// more iterations, and keeps it there. That is all it takes: what was trained by
// the configuration before is part of the longer run, see [configs.Config.Earlier],
// so that a run that stops on the way resumes as any other does.
func (o Options) extended(cfg configs.Config, dir string) (configs.Config, error) {
	done, err := outcomeIn(dir)
	if err != nil {
		return cfg, err
	}
	// The result of a shorter run, next to the configuration of a longer one, is that of a run which an
	// earlier --extend has begun to extend.
	if done == nil || slices.Contains(hashes(cfg)[1:], done.ConfigHash) {
		return cfg, fmt.Errorf("%s is not finished, so there is nothing to extend yet: continue it (--resume without --extend)", dir)
	}
	if _, err := readOutcome(dir, cfg); err != nil {
		return cfg, err
	}
	runs := []string{dir}
	if base := filepath.Join(dir, baselineName); exists(filepath.Join(base, resultFile)) {
		runs = append(runs, base)
	}
	for _, run := range runs {
		if saved, err := resumable(run); err != nil || len(saved) == 0 {
			return cfg, errors.Join(err, fmt.Errorf("%s holds no checkpoint any more, from which it could go on: put it back, or train the longer run anew, under another name", filepath.Join(run, checkpointDir)))
		}
	}
	longer := cfg.Extend(o.Extend)
	if err := longer.Validate(); err != nil {
		return cfg, err
	}
	from := cfg.Train.Iterations
	ended, again := learner.LearningRate(cfg.Train, from-1), learner.LearningRate(longer.Train, from)
	o.Log.Warn(fmt.Sprintf("extending the run from %d to %d iterations: the learning rate, %.3g at the end, begins again at %.3g (%.0f %% of train.lr) and decays as the rest of a run of %[2]d does. "+
		"That is not what %[2]d iterations at once give; the configuration says so (train.extended), and tables keep the two apart", from, longer.Train.Iterations, ended, again, 100*again/cfg.Train.LR),
		zap.String("kept of the shorter run", asideName(resultFile, from)))
	return longer, writeConfig(o.Disk, longer, dir)
}

// setAside renames what the run in dir left behind before it was extended, so
// that it is not taken for that of the longer run, nor written over. The result
// comes last: a process that was killed on the way does the rest the next time.
func setAside(dir string, cfg configs.Config) error {
	out, err := outcomeIn(dir)
	if out == nil || err != nil {
		return err
	}
	for _, earlier := range cfg.Earlier() {
		if earlier.Hash() != out.ConfigHash {
			continue
		}
		for _, name := range []string{modelFile, reportFile, resultFile} {
			err := os.Rename(filepath.Join(dir, name), filepath.Join(dir, asideName(name, out.Iterations)))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}

// asideName is the name that a file of a run has once the run was extended after
// so many iterations.
func asideName(name string, iterations int) string {
	extension := filepath.Ext(name)
	return fmt.Sprintf("%s-%06d%s", name[:len(name)-len(extension)], iterations, extension)
}

// hashes lists the configuration hashes of a run's checkpoints: its own, and
// those from before it was extended.
func hashes(cfg configs.Config) []string {
	all := []string{cfg.Hash()}
	for _, earlier := range cfg.Earlier() {
		all = append(all, earlier.Hash())
	}
	return all
}
