package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"t2sda/configs"
	"t2sda/export"
	"t2sda/export/predict"
	"t2sda/export/score"
	"t2sda/internal/finite"
	"t2sda/internal/interrupt"
	"t2sda/internal/ranks"
	"t2sda/orchestrator/learner"
)

// evaluatePending evaluates the student if that is due. An interrupt leaves it
// due, for the run that resumes.
func (t *trainer) evaluatePending(ctx context.Context, e *Event) error {
	if !t.progress.EvalPending || ctx.Err() != nil {
		return nil
	}
	switch err := t.evaluateStudent(ctx, e); {
	case err == nil, ctx.Err() != nil:
		return nil
	case errors.Is(err, learner.ErrNotFinite): // explained already
		return err
	default:
		return fmt.Errorf("evaluation at iteration %d: %w", t.progress.Iteration, err)
	}
}

// evaluateMissed makes the evaluation that an interrupt prevented and adds it to its
// iteration's event.
func (t *trainer) evaluateMissed(ctx context.Context) error {
	if !t.progress.EvalPending {
		return nil
	}
	events, err := t.readEvents(t.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // without its events a run goes on, too
		return err
	}
	e := Event{Step: learner.Step{Iteration: t.progress.Iteration - 1}}
	for _, have := range events {
		if have.Iteration == e.Iteration {
			e = have
		}
	}
	if err := t.evaluatePending(ctx, &e); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return interrupt.Explain(err, "stopped after iteration %d", t.progress.Iteration)
	}
	log, err := t.openEvents(e.Iteration, e)
	if err != nil {
		return err
	}
	if err := t.agree(log.close()); err != nil {
		return err
	}
	return t.checkpoint(lastPrefix) // which waits for no evaluation any more
}

// evaluateStudent scores the student on the evaluation split, records the score
// and keeps a checkpoint of the best.
func (t *trainer) evaluateStudent(ctx context.Context, e *Event) error {
	before := t.progress
	start := time.Now()
	result, err := t.score(ctx)
	switch {
	case errors.Is(err, predict.ErrNotFinite), errors.Is(err, learner.ErrNotFinite): // the latter of a rank
		return t.explain(t.progress.Iteration-1, learner.NotFiniteError(err.Error()))
	case err != nil:
		return err
	}
	if result.Images == 0 && len(result.Skipped) > 0 {
		return fmt.Errorf("no image of the evaluation split can be read, the first: %s", result.Skipped[0].Error)
	}
	if e.Seconds == nil { // the iteration's own event is lost
		e.Seconds = map[string]float64{}
	}
	e.Seconds[stageEvaluation] = time.Since(start).Seconds()
	t.scored, t.scoredAt, t.progress.EvalPending = result, t.progress.Iteration, false
	miou := float64(result.MIoU)
	e.IoU = map[string]float64{}
	if finite.Is(miou) {
		e.MIoU = &miou
	}
	for _, c := range result.Classes {
		if iou := float64(c.IoU); finite.Is(iou) { // JSON has no NaN
			e.IoU[c.Name] = iou
		}
	}
	t.meter.evaluated(t.progress.Iteration, result)
	if !(miou > t.progress.BestMIoU) { // nor is what is not a number
		return nil
	}
	t.progress.BestMIoU, t.progress.BestIteration = miou, t.progress.Iteration
	if err := t.checkpoint(bestPrefix); err != nil {
		t.progress = before // with the evaluation still to be made: the best checkpoint is not there
		return err
	}
	return nil
}

// score exports the student in memory and evaluates that model, so that what is
// scored is what is deployed.
func (t *trainer) score(ctx context.Context) (_ *score.Result, err error) {
	t.log.Debug("evaluation")
	p, end, err := t.openStudent(ctx)
	if failed := t.agree(err); failed != nil {
		if err == nil {
			end()
		}
		return nil, failed
	}
	defer func() { err = errors.Join(err, end()) }()
	return t.evaluate(ctx, p, t.evalOptions())
}

// meetEvery is how often ranks that evaluate ask whether one has failed or was told to stop.
const meetEvery = 200 * time.Millisecond

// ShareOut gives each of several ranks its part of an evaluation; together joins what they
// have counted.
func ShareOut(g *ranks.Group, o *score.Options, together func(mine []byte, err error) ([][]byte, error)) {
	if g.Size() == 1 {
		return
	}
	o.Part, o.Parts, o.Together = g.Rank(), g.Size(), together
	o.While = func(ctx context.Context, work func(ctx context.Context) error) error {
		return g.While(ctx, meetEvery, work)
	}
}

// evaluate scores a model on the evaluation split, of which each rank takes its part; all
// get the whole result. An interrupt of one rank is one of all.
func (t *trainer) evaluate(ctx context.Context, p *predict.Predictor, o score.Options) (*score.Result, error) {
	ShareOut(t.ranks, &o, t.counted)
	if t.ranks.Size() > 1 {
		ctx = t.signals
	}
	return score.Evaluate(ctx, p, t.data.eval, o)
}

// openStudent exports the student in memory and opens it until end.
func (t *trainer) openStudent(ctx context.Context) (p *predict.Predictor, end func() error, err error) {
	o, err := t.modelOptions(ctx)
	if err != nil {
		return nil, nil, err
	}
	model, err := export.Build(o, t.learner.Student)
	if err != nil {
		return nil, nil, err
	}
	return t.openModel(model)
}

// openModel opens a student's model in memory until end.
func (t *trainer) openModel(model []byte) (p *predict.Predictor, end func() error, err error) {
	if p, err = predict.OpenBytes(t.engine, "student", model); err != nil {
		return nil, nil, err
	}
	return p, p.Close, nil
}

func (t *trainer) evalOptions() score.Options {
	return score.Options{Workers: t.cfg.Data.Workers, KeepGoing: t.cfg.SkipsBadFiles(), Progress: func(done, total int) { t.meter.working("evaluating", done, total) }}
}

// modelOptions describe the student for export at the evaluation images' size, or, of
// HRDA, at that of the crops.
func (t *trainer) modelOptions(ctx context.Context) (export.ModelOptions, error) {
	w, h, err := t.data.evalSize(ctx, t.cfg.SkipsBadFiles())
	o := export.ModelOptions{
		Arch: t.learner.Arch(), Space: t.data.space,
		Info: predict.ModelInfo{
			Version: t.version, ConfigHash: t.progress.ConfigHash,
			CropW: t.cfg.Data.Crop.Width, CropH: t.cfg.Data.Crop.Height,
		},
	}
	setSize(&o, t.cfg, w, h)
	return o, err
}

// setSize makes a model for evaluation images of width × height pixels. HRDA's sees them
// in windows of the crops' size, of which each covers half of the last one again, as
// published.
func setSize(o *export.ModelOptions, cfg configs.Config, width, height int) {
	o.Width, o.Height = width, height
	if cfg.UsesHRDA() {
		o.Width, o.Height = cfg.Data.Crop.Width, cfg.Data.Crop.Height
		o.Windows = predict.Windows{Width: width, Height: height, Overlap: 0.5}
	}
}
