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
	"t2sda/graphs/nets"
	"t2sda/internal/interrupt"
	"t2sda/internal/raster"
	"t2sda/internal/rng"
	"t2sda/losses"
)

// trainer trains one student by one method.
type trainer struct {
	cfg     configs.Config
	dir     string // run directory
	home    string // where the commands are kept: dir, or that of the run whose baseline this is
	version string // of the program
	program string // how it is called
	log     *zap.Logger
	meter   meter
	engine  *engine.Engine
	arch    nets.Arch

	data      *data
	state     *state
	optimizer *adamW
	progress  progress
	began     time.Time      // this process
	spent     float64        // s, by earlier processes
	keptBest  int            // the best iteration that the newest checkpoint names
	scored    *score.Result  // by the last evaluation; nil before the first one
	scoredAt  int            // its iteration
	delivery  []report.Stage // what followed training

	supervised *supervised // L_S and L_T
	frozen     *frozen     // features to stay near; nil without the feature distance
	pull       *pull       // L_pull; nil unless the method pulls
	target     *teacher    // pseudo-labels (and features) of target images; nil unless used
	keys       *teacher    // features of labelled images; nil unless the method pulls
	mixer      *mixer      // nil unless self-training
}

// newTrainer builds networks, terms and state for cfg. The caller keeps e and d
// open until it has closed the trainer.
func newTrainer(cfg configs.Config, dir string, o Options, e *engine.Engine, d *data) (*trainer, error) {
	t := &trainer{
		cfg: cfg, dir: dir, home: cmp.Or(o.home, dir), version: o.Version, program: cmp.Or(o.Program, "t2sda"), log: o.Log, engine: e, data: d,
		meter:    newMeter(o.Out, o.Terminal, cfg.Train.LogEvery),
		arch:     archOf(cfg, len(d.space.Classes)),
		progress: progress{ConfigHash: cfg.Hash(), BestMIoU: -1, Space: d.space},
		began:    time.Now(),
	}
	for _, f := range d.began.Faults {
		t.progress.Skipped.add(f, 0)
	}
	if text := t.progress.Skipped.summary(); text != "" {
		t.log.Warn(text)
	}
	if err := t.build(o.Log); err != nil {
		return nil, errors.Join(err, t.close())
	}
	return t, nil
}

// build makes state, optimiser and terms.
func (t *trainer) build(log *zap.Logger) (err error) {
	if err := t.arch.Validate(); err != nil {
		return fmt.Errorf("model: %w", err)
	}
	if t.state, err = newState(t.arch, t.cfg.UsesTeacher(), t.cfg.Train, t.cfg.Seed); err != nil {
		return err
	}
	if t.cfg.Model.Init != "" {
		if err := t.state.initialise(t.cfg.Model.Init, log); err != nil {
			return fmt.Errorf("model.init: %w", err)
		}
	}
	t.optimizer = newAdamW(t.cfg.Train, t.state.spans)
	return t.buildTerms()
}

// archOf translates the configuration. Methods without the pull have no
// projector.
func archOf(cfg configs.Config, classes int) nets.Arch {
	m := cfg.Model
	a := nets.Arch{
		Encoder: m.Encoder, Head: m.Head, Classes: classes, HeadWidth: m.HeadWidth,
		ProjectorWidth: m.ProjectorWidth, ProjectorInput: m.ProjectorInput,
		DropPath: m.DropPath, Dropout: m.Dropout,
		Mean: [3]float32{123.675, 116.28, 103.53}, Std: [3]float32{58.395, 57.12, 57.375}, // ImageNet's
	}
	if !cfg.UsesPull() {
		a.ProjectorWidth = 0
	}
	return a
}

func (t *trainer) buildTerms() (err error) {
	c := t.cfg
	size := imageBatch{c.Train.Batch, c.Data.Crop.Height, c.Data.Crop.Width}
	if t.frozen, err = newFrozen(t.engine, c, t.arch, size, t.state, t.data.space, t.log); err != nil {
		return err
	}
	if t.supervised, err = newSupervised(t.engine, t.arch, size, t.state, t.frozen); err != nil {
		return err
	}
	if c.UsesTarget() && c.UsesTeacher() {
		if t.target, err = newTeacher(t.engine, "teacher/target", t.arch, size, t.state, true, c.UsesPull()); err != nil {
			return err
		}
	}
	if c.UsesMix() {
		if t.mixer, err = newMixer(c, t.arch.Classes); err != nil {
			return err
		}
	}
	if c.UsesPull() {
		if t.keys, err = newTeacher(t.engine, "teacher/keys", t.arch, size, t.state, false, true); err != nil {
			return err
		}
		if t.pull, err = newPull(t.engine, c, t.arch, size, t.keys.grid, t.state); err != nil {
			return err
		}
	}
	return nil
}

func (t *trainer) close() error {
	var errs []error
	if t.supervised != nil {
		errs = append(errs, t.supervised.close())
	}
	if t.frozen != nil {
		errs = append(errs, t.frozen.close())
	}
	if t.pull != nil {
		errs = append(errs, t.pull.close())
	}
	for _, n := range []*teacher{t.target, t.keys} {
		if n != nil {
			errs = append(errs, n.close())
		}
	}
	if t.state != nil {
		errs = append(errs, t.state.close())
	}
	return errors.Join(errs...)
}

// run trains from the current iteration to the last. When ctx ends, it finishes
// the iteration, saves a checkpoint and returns the context's error.
func (t *trainer) run(ctx context.Context) (err error) {
	c := t.cfg.Train
	t.meter.start(t.cfg.Method, t.progress.Iteration, c.Iterations)
	defer t.meter.stop()
	if err := t.catchUp(ctx); err != nil {
		return err
	}
	log, err := openEvents(t.dir, t.progress.Iteration)
	if err != nil {
		return err
	}
	// A batch under way is finished when ctx ends: its iteration is saved.
	work := context.WithoutCancel(ctx)
	stream := t.data.loader.Stream(work, t.progress.Iteration)
	defer func() {
		stream.Close()
		err = errors.Join(err, log.close())
	}()
	for it := t.progress.Iteration; it < c.Iterations; it++ {
		event, err := t.iterate(work, it, stream)
		if err != nil {
			return t.stopAt(it, err)
		}
		t.progress.Iteration = it + 1
		if err := t.conclude(ctx, log, event); err != nil {
			return err
		}
	}
	return nil
}

// conclude is what follows an iteration: evaluation and checkpoint, where they
// are due, and the record of it. When ctx has ended it returns an error, with a
// checkpoint saved.
func (t *trainer) conclude(ctx context.Context, log *eventLog, e Event) error {
	c, done := t.cfg.Train, t.progress.Iteration
	t.progress.EvalPending = due(done, c.EvalEvery, c)
	if err := t.evaluatePending(ctx, &e); err != nil {
		err = errors.Join(err, log.write(e))
		if errors.Is(err, errNotFinite) {
			return err // weights that give NaN are not worth saving
		}
		return t.saveAndStop(err)
	}
	stopped := ctx.Err()
	if err := log.write(e); err != nil {
		return err
	}
	t.meter.tick(e, c.Batch)
	if stopped != nil || due(done, c.CheckpointEvery, c) {
		if err := t.checkpoint(lastPrefix); err != nil {
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

// savedError is a failure that left the state of the last iteration saved.
type savedError struct{ error }

func (e *savedError) Unwrap() error { return e.error }

// stopAt ends training with the error of iteration it. Where there was no batch to
// learn from, what is trained so far is sound, and saved.
func (t *trainer) stopAt(it int, err error) error {
	if data := new(dataError); !errors.As(err, &data) {
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
	e := Event{Iteration: it, LR: learningRate(t.cfg.Train, it), Losses: map[string]float64{}, Seconds: map[string]float64{}}
	var b *datasets.Batch
	adapts := float64(it) >= t.cfg.Train.AdaptAfter*float64(t.cfg.Train.Phase(0))
	pulls, mixes := adapts && t.pull != nil, adapts && t.mixer != nil
	stages := []struct {
		name string
		on   bool
		run  func() error
	}{
		{"data", true, func() (err error) { b, err = t.next(ctx, batches, &e); return err }}, // crops [B,3,H,W], translated
		{"teacher", pulls || mixes, func() error { return t.teach(ctx, b, pulls) }},          // labels, confidences [B,H,W], features [B,D,h,w]
		{"source", true, func() error { return t.learnSource(ctx, it, b, &e) }},              // L_S
		{"plan", pulls, func() error { return t.planPull(it, b, &e) }},                       // queries, keys, weights
		{"pull", pulls, func() error { return t.learnPull(ctx, it, b, &e) }},                 // λ·L_pull
		{"mix", mixes, func() error { return t.learnMixed(ctx, it, b, &e) }},                 // L_T
		{"update", true, func() error { return t.update(it, &e) }},                           // AdamW
		{"ema", t.state.teacher != nil, func() error { return t.follow(it) }},                // teacher
	}
	clear(t.state.grads.Floats())
	for _, s := range stages {
		if !s.on {
			continue
		}
		start := time.Now()
		if err := s.run(); err != nil {
			return e, err
		}
		e.Seconds[s.name] = time.Since(start).Seconds()
	}
	return e, nil
}

// next waits for the batch of an iteration and counts what it did without.
func (t *trainer) next(ctx context.Context, batches *datasets.Stream, e *Event) (*datasets.Batch, error) {
	b, err := batches.Next(ctx)
	if err != nil {
		return nil, &dataError{err}
	}
	for _, f := range b.Skipped {
		e.Skipped = append(e.Skipped, f.File)
		if t.progress.Skipped.add(f, 1) {
			t.log.Warn("passed over: "+f.Error, zap.Int("iteration", e.Iteration))
		}
	}
	return b, nil
}

// teach runs the teacher on the target images, and on the images that keys are
// taken from.
func (t *trainer) teach(ctx context.Context, b *datasets.Batch, pulls bool) error {
	if t.target != nil {
		if err := t.target.run(ctx, b.Target); err != nil {
			return err
		}
	}
	if !pulls {
		return nil
	}
	return t.keys.run(ctx, t.pull.labelledImages(b))
}

// learnSource adds the gradient of L_S: the cross-entropy on source images, on
// pseudo-target ones, or the mean of both.
func (t *trainer) learnSource(ctx context.Context, it int, b *datasets.Batch, e *Event) error {
	switch t.cfg.CEDomain() {
	case configs.DomainPseudo:
		return t.learnLabelled(ctx, it, configs.DomainPseudo, b.Pseudo, b, 1, e)
	case configs.DomainBoth:
		if err := t.learnLabelled(ctx, it, configs.DomainPseudo, b.Pseudo, b, 0.5, e); err != nil {
			return err
		}
		return t.learnLabelled(ctx, it, configs.DomainSource, b.Source, b, 0.5, e)
	}
	return t.learnLabelled(ctx, it, configs.DomainSource, b.Source, b, 1, e)
}

// learnLabelled adds the gradient of scale times the cross-entropy on images that
// bear the batch's labels.
func (t *trainer) learnLabelled(ctx context.Context, it int, domain string, images []*raster.Image, b *datasets.Batch, scale float64, e *Event) error {
	fillImages(t.supervised.image, images)
	labels, denominator := flatten(b.SourceLabels), losses.Denominator(t.cfg.Loss.CEDenominator)
	err := losses.Encode(t.supervised.labels, t.supervised.weights, labels, t.arch.Classes, denominator, scale)
	if err != nil {
		return err
	}
	// Of both domains, the source's features are those to keep (DAFormer).
	keeps := t.frozen != nil && (domain == configs.DomainSource || t.cfg.CEDomain() == domain)
	if keeps {
		if err := t.frozen.run(ctx, images, labels); err != nil {
			return err
		}
	}
	loss, err := t.supervised.run(ctx, rng.New(t.cfg.Seed, it, "noise/"+domain))
	e.Losses[domain] = loss / scale
	if keeps {
		e.Losses["feature_distance"] = t.frozen.take()
	}
	t.supervised.updateRunning(t.state.buffers, t.cfg.Train.BNMomentum)
	return err
}

// flatten joins the labels of a batch, [B,H,W].
func flatten(labels []*raster.Labels) []uint8 {
	var out []uint8
	for _, l := range labels {
		out = append(out, l.Pix...)
	}
	return out
}

// learnMixed adds the gradient of L_T on class-mixed images.
func (t *trainer) learnMixed(ctx context.Context, it int, b *datasets.Batch, e *Event) error {
	images, mix, err := t.mixer.mix(it, b, t.target)
	if err != nil {
		return err
	}
	e.Quality = mix.Quality
	if mix.ClassWeights != nil {
		e.Weights = mix.ClassWeights
	}
	fillImages(t.supervised.image, images)
	if err := mix.Encode(t.supervised.labels, t.supervised.weights); err != nil {
		return err
	}
	loss, err := t.supervised.run(ctx, rng.New(t.cfg.Seed, it, "noise/mix"))
	e.Losses["mix"] = loss / mix.Weight
	t.supervised.updateRunning(t.state.buffers, t.cfg.Train.BNMomentum)
	return err
}

// planPull chooses queries, keys and weights.
func (t *trainer) planPull(it int, b *datasets.Batch, e *Event) error {
	if err := t.pull.plan(rng.New(t.cfg.Seed, it, "pull"), b, t.keys, t.target); err != nil {
		return err
	}
	stats := &t.pull.planned.Stats
	e.Queries, e.Weights = slices.Clone(stats.Queries), slices.Clone(stats.Weights)
	e.QueryWeights = make([]float64, len(e.Queries))
	for c, n := range e.Queries {
		if n > 0 {
			e.QueryWeights[c] = e.Weights[c] / float64(n)
		}
	}
	return nil
}

// learnPull adds the gradient of λ·L_pull.
func (t *trainer) learnPull(ctx context.Context, it int, b *datasets.Batch, e *Event) (err error) {
	fillImages(t.pull.image, t.pull.queryImages(b))
	e.Losses["pull"], err = t.pull.run(ctx, rng.New(t.cfg.Seed, it, "noise/pull"))
	return err
}

// update moves the student one AdamW step.
func (t *trainer) update(it int, e *Event) error {
	s := t.state
	e.GradNorm = t.optimizer.step(s.student.Floats(), s.grads.Floats(), s.moment1.Floats(), s.moment2.Floats(), it, e.LR)
	if e.GradNorm-e.GradNorm != 0 {
		return notFiniteError(fmt.Sprintf("the gradient's norm is %v", e.GradNorm))
	}
	return nil
}

// follow moves the teacher towards the student. The update after iteration t is
// the one that DAFormer's code makes at the beginning of iteration t+1.
func (t *trainer) follow(it int) error {
	emaUpdate(t.state.teacher.Floats(), t.state.student.Floats(), emaDecay(t.cfg.Train.EMA, it+1))
	return nil
}
