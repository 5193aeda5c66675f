package orchestrator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.uber.org/zap"

	"t2sda/configs"
	"t2sda/datasets"
	"t2sda/export/report"
	"t2sda/export/score"
	"t2sda/graphs/engine"
	"t2sda/internal/atomicfile"
	"t2sda/internal/interrupt"
	"t2sda/internal/ranks"
	"t2sda/orchestrator/learner"
)

// trainer trains one student by one method.
type trainer struct {
	cfg     configs.Config
	dir     string // run directory
	home    string // where the commands are kept: dir, or that of the run whose baseline this is
	version string // of the program
	program string // how it is called
	log     *zap.Logger
	disk    atomicfile.Disk // through which the run's files are written
	meter   meter
	engine  *engine.Engine

	ranks   *ranks.Group    // that train together
	wire    ranks.Wire      // of gradients between them; nil: through the host
	signals context.Context // which a signal to this rank ends
	stop    func()          // ends the context of all that ranks do together

	data     *data
	learner  *learner.Learner
	round    *round                   // of labels of the whole target set; nil without
	labels   map[string]*learner.Soft // of the iteration's target images, by their names
	progress progress
	began    time.Time        // this process
	spent    float64          // s, by earlier processes
	skipped  []datasets.Fault // of the iteration, by this rank
	keptBest int              // the best iteration that the newest checkpoint names
	scored   *score.Result    // by the last evaluation; nil before the first one
	scoredAt int              // its iteration
	delivery []report.Stage   // what followed training
}

// newTrainer builds networks, terms and state for cfg. The caller keeps e and d
// open until it has closed the trainer.
func newTrainer(cfg configs.Config, dir string, o Options, e *engine.Engine, d *data) (*trainer, error) {
	t := &trainer{
		cfg: cfg, dir: dir, home: cmp.Or(o.home, dir), version: o.Version, program: cmp.Or(o.Program, "t2sda"), log: o.Log, disk: o.Disk, engine: e, data: d, ranks: o.Ranks, wire: o.wire,
		signals: context.Background(), stop: func() {},
		meter:    newMeter(o.Out, o.Terminal, cfg.Train.LogEvery),
		progress: progress{ConfigHash: cfg.Hash(), BestMIoU: -1, Space: d.space},
		began:    time.Now(),
	}
	for _, f := range d.began.Faults {
		t.progress.Skipped.add(f, 0)
	}
	if text := t.progress.Skipped.summary(); text != "" {
		t.log.Warn(text)
	}
	if cfg.Train.Rounds > 0 && cfg.RoundStarts() == nil && t.home == t.dir {
		t.log.Warn("train.rounds: no term of the method learns with labels of rounds: there are none", zap.String("method", string(cfg.Method)))
	}
	if o.start == nil {
		o.start = &start{file: cfg.Model.Init}
	}
	if err := t.build(o.start.file); err != nil {
		return nil, err
	}
	return t, nil
}

// build makes the learner, from the weights in a file if there is one.
func (t *trainer) build(file string) (err error) {
	o := learner.Options{Config: t.cfg, Space: t.data.space, Source: t.cfg.Model.Init, Log: t.log, Ranks: t.ranks, Wire: t.wire}
	if t.cfg.RoundStarts() != nil {
		o.Soft = t.softOf
	}
	if file != "" {
		if o.Initial, err = t.initial(file, learner.Arch(t.cfg, len(o.Space.Classes))); err != nil {
			return fmt.Errorf("model.init: %w", err)
		}
	}
	t.learner, err = learner.New(t.engine, o)
	return explainBuild(t.cfg, err)
}

func (t *trainer) close() error { return t.learner.Close() }

func (t *trainer) warn(text string) { t.log.Warn(text) }

// run trains from the current iteration to the last. When ctx ends, it finishes
// the iteration, saves a checkpoint and returns the context's error.
func (t *trainer) run(ctx context.Context) (err error) {
	c := t.cfg.Train
	ctx, end := t.together(ctx)
	defer end()
	t.meter.start(string(t.cfg.Method), t.progress.Iteration, c.Iterations)
	defer t.meter.stop()
	if err := t.evaluateMissed(ctx); err != nil {
		return err
	}
	log, err := t.openEvents(t.progress.Iteration)
	if err != nil {
		return err
	}
	// A batch under way is finished when ctx ends: its iteration is saved.
	work := context.WithoutCancel(ctx)
	stream := t.data.loader.Stream(work, t.progress.Iteration)
	defer func() {
		stream.Close()
		if closeErr := log.close(); err == nil && closeErr != nil {
			err = t.agree(closeErr)
		} else {
			err = errors.Join(err, closeErr)
		}
	}()
	for it := t.progress.Iteration; it < c.Iterations; it++ {
		before := t.round
		if err := t.beginRound(ctx, it); err != nil {
			return err
		}
		stream = t.streamOf(work, it, stream, before)
		event, err := t.iterate(work, it, stream)
		if err != nil {
			return t.stopAt(it, err)
		}
		t.progress.Iteration = it + 1
		if err := t.finishIteration(ctx, log, event); err != nil {
			return err
		}
	}
	return nil
}

// finishIteration is what follows an iteration: evaluation and checkpoint, where they
// are due, and the record of it. When ctx has ended it returns an error, with a
// checkpoint saved.
func (t *trainer) finishIteration(ctx context.Context, log *eventLog, e Event) error {
	c, done := t.cfg.Train, t.progress.Iteration
	if err := t.heedSignals(); err != nil {
		return err
	}
	t.progress.EvalPending = due(done, c.EvalEvery, c)
	if err := t.evaluatePending(ctx, &e); err != nil {
		err = errors.Join(err, log.write(e))
		if errors.Is(err, learner.ErrNotFinite) {
			return err // weights that give NaN are not worth saving
		}
		return t.saveAndStop(err)
	}
	stopped := ctx.Err()
	if err := log.write(e); err != nil {
		return t.agree(err)
	}
	t.meter.tick(e, c.Batch*c.MicroBatches())
	if stopped != nil || due(done, c.CheckpointEvery, c) {
		if err := errors.Join(t.agree(log.sync()), t.checkpoint(lastPrefix)); err != nil {
			return err
		}
	}
	if stopped != nil {
		return interrupt.Explain(stopped, "stopped after iteration %d", done)
	}
	return nil
}

// dataError is the failure to make a batch, before which nothing of the iteration
// has changed the state.
type dataError struct{ error }

func (e *dataError) Unwrap() error { return e.error }

// dataMark is what other ranks know such an error by.
const dataMark = "data"

// Mark implements [ranks.Marked].
func (e *dataError) Mark() string { return dataMark }

// isData reports whether this rank or another failed to make a batch.
func isData(err error) bool {
	peer := new(ranks.PeerError)
	return errors.As(err, new(*dataError)) || errors.As(err, &peer) && peer.Mark == dataMark
}

// savedError is a failure that left the state of the last iteration saved.
type savedError struct{ error }

func (e *savedError) Unwrap() error { return e.error }

// stopAt ends training with the error of iteration it. Where there was no batch to
// learn from, what is trained so far is sound, and saved.
func (t *trainer) stopAt(it int, err error) error {
	if !isData(err) {
		return t.explain(it, err)
	}
	err = fmt.Errorf("iteration %d: %w", it, err)
	if it == 0 {
		return err // there is nothing to save
	}
	return t.saveAndStop(err)
}

// saveAndStop saves what is trained so far and returns err.
func (t *trainer) saveAndStop(err error) error {
	if saveErr := t.checkpoint(lastPrefix); saveErr != nil {
		return errors.Join(err, saveErr)
	}
	return &savedError{err}
}

// due reports whether something happens after `done` iterations: every `every`
// (0: never before the end) and at the end, also where that was before the run
// was extended.
func due(done, every int, c configs.Train) bool {
	return done == c.Iterations || slices.Contains(c.Extended, done) || every > 0 && done%every == 0
}

// iterate is one training iteration.
func (t *trainer) iterate(ctx context.Context, it int, batches *datasets.Stream) (Event, error) {
	e := Event{}
	t.labels = map[string]*learner.Soft{}
	if t.round != nil && t.round.state.Iteration == it { // which has just begun
		for _, f := range t.round.state.PassedOver {
			t.skip(it, &e, f)
		}
	}
	step, err := t.learner.Iterate(ctx, it, func(ctx context.Context) (*datasets.Batch, error) { return t.next(ctx, it, batches, &e) })
	e.Step = step
	if err != nil {
		return e, err
	}
	return e, t.tellSkipped(it, &e)
}

// next waits for the batch of an iteration and counts what it did without.
func (t *trainer) next(ctx context.Context, it int, batches *datasets.Stream, e *Event) (*datasets.Batch, error) {
	b, err := batches.Next(ctx)
	if err != nil {
		return nil, &dataError{err}
	}
	if err := t.readLabels(b.TargetIDs); err != nil {
		return nil, &dataError{err}
	}
	for _, f := range b.Skipped {
		t.skip(it, e, f)
		t.skipped = append(t.skipped, f)
	}
	return b, nil
}

// skip counts a file that an iteration did without.
func (t *trainer) skip(it int, e *Event, f datasets.Fault) {
	e.Skipped = append(e.Skipped, f.File)
	if t.progress.Skipped.add(f, 1) {
		t.log.Warn("passed over: "+f.Error, zap.Int("iteration", it))
	}
}
