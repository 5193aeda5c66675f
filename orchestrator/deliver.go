package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"t2sda/export"
	"t2sda/export/predict"
	"t2sda/export/score"
	"t2sda/internal/raster"
	"t2sda/internal/resize"
	"t2sda/internal/sha256sum"
)

// deliver writes the trained student as a model file, checks that file against
// the network, fills the outcome with its score and writes the report.
// baseline is the source-only run, nil for none.
func (t *trainer) deliver(ctx context.Context, out, baseline *Outcome) (err error) {
	measured := t.scored // usually the last iteration's, see run
	if t.scoredAt != t.progress.Iteration {
		if measured, err = t.score(ctx); err != nil {
			return err
		}
	}
	return leaderOnly(t.ranks, func() error { return t.deliverScored(ctx, out, baseline, measured) })
}

// deliverScored is deliver for a student that was scored.
func (t *trainer) deliverScored(ctx context.Context, out, baseline *Outcome, measured *score.Result) (err error) {
	o, err := t.modelOptions(ctx)
	if err != nil {
		return err
	}
	miou := float64(measured.MIoU)
	o.Info.MIoU = &miou
	path := filepath.Join(t.dir, modelFile)
	err = t.deliverStage("export", "writing the model, and comparing it with the trained network", func() (err error) {
		model, err := export.Build(o, t.learner.Student)
		if err != nil {
			return err
		}
		if err := t.disk.Write(path, model); err != nil {
			return err
		}
		out.ModelSum = sha256sum.Of(model)
		out.Agreement, err = t.verify(ctx, o)
		return err
	})
	if err != nil {
		return err
	}
	p, err := predict.Open(t.engine, path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	err = t.deliverStage("final evaluation", "of the exported model", func() (err error) {
		options := t.evalOptions()
		options.Worst = reportWorst
		out.Result, err = score.Evaluate(ctx, p, t.data.eval, options)
		return err
	})
	if err != nil {
		return err
	}
	return t.report(ctx, out, baseline, p)
}

// verify compares the exported model with the training network on the first
// evaluation images and returns the share of pixels that get the same label.
func (t *trainer) verify(ctx context.Context, o export.ModelOptions) (float64, error) {
	images, err := t.evalImages(ctx)
	if err != nil {
		return 0, err
	}
	for i, img := range images {
		if img.W != o.Width || img.H != o.Height { // HRDA's model sees windows
			images[i] = resize.Image(img, o.Width, o.Height)
		}
	}
	agreement, err := export.Verify(ctx, t.engine, o, t.learner.Student, images)
	if err != nil {
		return 0, err
	}
	if err := agreement.Err(); err != nil {
		return 0, fmt.Errorf("the exported model differs from the trained network: %w", err)
	}
	return agreement.Share(), nil
}

// evalImages loads the first few evaluation images, of one size.
func (t *trainer) evalImages(ctx context.Context) ([]*raster.Image, error) {
	var images []*raster.Image
	for i := 0; i < t.data.eval.Len() && len(images) < reportSamples; i++ {
		s, err := t.data.eval.Load(ctx, i)
		if err != nil && t.cfg.SkipsBadFiles() && ctx.Err() == nil {
			continue
		}
		if err != nil {
			return nil, err
		}
		if len(images) > 0 && (s.Image.W != images[0].W || s.Image.H != images[0].H) {
			continue // a batch has one size
		}
		images = append(images, s.Image)
	}
	return images, nil
}
