package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"sync"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"t2sda/configs"
	"t2sda/internal/interrupt"
	"t2sda/orchestrator/learner"
)

// Job is one of several runs that are trained side by side. Its directory is
// that of its configuration, output/name, so that the run's config.yaml alone
// resumes it.
type Job struct {
	Row    string // the table's line that it belongs to
	Config configs.Config
}

// Dir is the run's directory.
func (j Job) Dir() string { return filepath.Join(j.Config.Output, j.Config.Name) }

func (j Job) String() string { return fmt.Sprintf("%s, seed %d", j.Row, j.Config.Seed) }

// JobResult is what became of a job: either Outcome or Err is nil, both where it was not
// trained.
type JobResult struct {
	Outcome *Outcome
	Err     error
}

// Seats returns how many runs train at a time and the threads of each. Zero jobs
// are as many as the cores carry. Zero threads are 1 for runs that train side by
// side, and otherwise the number of cores: results depend on it a little, so it
// is always a number.
func Seats(jobs, threads int) (atATime, each int) {
	cores := runtime.GOMAXPROCS(0)
	switch {
	case threads == 0 && jobs > 1:
		threads = 1
	case threads == 0:
		threads = cores
	}
	if jobs == 0 {
		jobs = max(1, cores/threads)
	}
	return jobs, threads
}

// TrainAll trains the jobs, each in a process of its own, atATime of them at a
// time: one that fails leaves the others alone, and its result says why. Runs
// that are complete are read back, others continue from their last checkpoint.
// It returns an error when nothing could be trained at all, and the context's
// error, after every run under way has saved a checkpoint, when ctx ends. With that one
// and with a [MissingError] the results of runs that are complete come, too, and those of
// runs without an outcome are empty; with any other error there are none. The results are
// in the jobs' order; no two jobs may have one directory.
//
// Whenever a run has ended and others have not, soFar is called with the results until
// then, by one run at a time: so tables of hours grow, and outlive the process. It must not
// keep the slice; its error is a warning, since the whole table is still to come. Nil is not
// called.
func TrainAll(ctx context.Context, jobs []Job, atATime int, soFar func([]JobResult) error, o Options) ([]JobResult, error) {
	results := make([]JobResult, len(jobs))
	var open []int
	var waiting []Job
	for i, j := range jobs {
		done, err := Finished(j)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", j, err)
		}
		if results[i].Outcome = done; done == nil {
			open, waiting = append(open, i), append(waiting, j)
		}
	}
	if len(open) == 0 {
		return results, nil
	}
	if err := checkInputs(waiting); err != nil {
		return results, err
	}
	if err := checkWorlds(waiting); err != nil {
		return results, err
	}
	if err := prepareAll(ctx, jobs, open, o); err != nil {
		return nil, err
	}
	m := newJobMeter(o, jobs, open, atATime)
	defer m.stop()
	group := errgroup.Group{}
	group.SetLimit(atATime)
	var mu sync.Mutex // over results and left
	left := len(open)
	for _, i := range open {
		group.Go(func() error {
			if ctx.Err() != nil {
				return nil
			}
			m.started(jobs[i])
			r := trainChild(ctx, jobs[i], o)
			interrupted := ctx.Err() != nil
			m.ended(jobs[i], r, interrupted)
			if interrupted && r.Err != nil {
				return nil // it has not failed: it goes on another time
			}
			mu.Lock()
			defer mu.Unlock()
			results[i] = r
			if left--; soFar == nil || left == 0 {
				return nil
			}
			if err := soFar(results); err != nil {
				o.Log.Warn("the table so far cannot be written", zap.Error(err))
			}
			return nil
		})
	}
	_ = group.Wait() // failures are results
	if err := ctx.Err(); err != nil {
		return results, interrupt.Explain(err, "stopped with %d of %d runs complete; what was trained is saved, the same command continues", complete(results), len(jobs))
	}
	return results, nil
}

// prepareAll does once what every run would do at its start, and finds what
// would make each of them fail.
func prepareAll(ctx context.Context, jobs []Job, open []int, o Options) error {
	e, err := openEngine(jobs[open[0]].Config)
	if err != nil {
		return err
	}
	if err := e.Close(); err != nil {
		return err
	}
	for _, i := range open {
		if err := renderStreets(ctx, jobs[i].Config, o); err != nil {
			return fmt.Errorf("%s: %w", jobs[i], err)
		}
	}
	return nil
}

func complete(results []JobResult) int {
	n := 0
	for _, r := range results {
		if r.Outcome != nil {
			n++
		}
	}
	return n
}

// Finished returns the outcome of a run that is complete, nil where it has still
// to be trained. A directory that holds a run of another configuration, or of
// another number of threads, is an error.
func Finished(j Job) (*Outcome, error) {
	dir := j.Dir()
	done, err := readOutcome(dir, j.Config)
	if err != nil {
		return nil, err
	}
	if done == nil && !begun(dir) {
		return nil, nil
	}
	path := filepath.Join(dir, ConfigFile)
	kept, err := configs.Read(path)
	switch {
	case err != nil && done != nil:
		return done, nil // the result alone will do
	case err != nil:
		return nil, err
	case kept.Hash() != j.Config.Hash():
		return nil, fmt.Errorf("%s belongs to another configuration (hash %s, this one has %s): choose another name for this one (name=…), or remove the folder", path, kept.Hash(), j.Config.Hash())
	}
	_, threads := Seats(1, kept.Runtime.Threads)
	if want := j.Config.Runtime.Threads; threads != want {
		return nil, fmt.Errorf("%s was trained with runtime.threads=%d, on which results depend a little, and this time it is %d: set runtime.threads=%[2]d, or another name (name=…)", dir, threads, want)
	}
	return done, nil
}

// Check validates the configuration as far as that is possible without its data.
func Check(cfg configs.Config) error {
	if err := cfg.Validate(); err != nil {
		return err
	}
	const anyClasses = 2
	if err := learner.Arch(cfg, anyClasses).Validate(); err != nil {
		return fmt.Errorf("model: %w", err)
	}
	return nil
}

// Lock makes this process the only one that trains runs in the folder, until the
// file is closed or the process ends.
func Lock(folder string) (io.Closer, error) { return lockDir(folder) }

// failures joins the errors of jobs that failed, nil if none did.
func failures(jobs []Job, results []JobResult) error {
	var errs []error
	for i, r := range results {
		if r.Err != nil {
			errs = append(errs, fmt.Errorf("row %s seed %d failed: %w", jobs[i].Row, jobs[i].Config.Seed, r.Err))
		}
	}
	return errors.Join(errs...)
}
