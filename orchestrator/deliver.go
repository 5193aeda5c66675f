package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"t2sda/export"
	"t2sda/export/predict"
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
	model, err := t.deliverModel(ctx, out, float64(measured.MIoU))
	if err != nil {
		return err
	}
	p, end, err := t.openDelivered(model, out.ModelSum)
	if err := agreed(t.agree, err, end); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	err = t.deliverStage("final evaluation", "of the exported model", func() (err error) {
		options := t.evalOptions()
		options.Worst = reportWorst
		out.Result, err = t.evaluate(ctx, p, options)
		return err
	})
	if err != nil {
		return err
	}
	return leaderOnly(t.ranks, func() error { return t.report(ctx, out, baseline, p) })
}

// deliverModel makes the model of a student with that score, writes its file and compares
// it with the network.
func (t *trainer) deliverModel(ctx context.Context, out *Outcome, miou float64) (model []byte, err error) {
	o, err := t.modelOptions(ctx)
	if err == nil {
		o.Info.MIoU = &miou
		model, err = export.Build(o, t.learner.Student)
	}
	if err := t.agree(err); err != nil {
		return nil, err
	}
	out.ModelSum, err = fromLeader(t.ranks, func() (string, error) {
		return sha256sum.Of(model), t.deliverStage("export", "writing the model, and comparing it with the trained network", func() (err error) {
			if err := t.disk.Write(filepath.Join(t.dir, modelFile), model); err != nil {
				return err
			}
			out.Agreement, err = t.verify(ctx, o)
			return err
		})
	})
	return model, err
}

// openDelivered opens the model whose digest the rank that leads tells until end. That
// rank opens the file; the others have made the same bytes, and need not wait until a
// shared folder shows them what is new in it.
func (t *trainer) openDelivered(model []byte, sum string) (p *predict.Predictor, end func() error, err error) {
	if !t.ranks.Leads() {
		if sha256sum.Of(model) != sum {
			return nil, nil, errors.New("this rank has made another model than rank 0: a node computes something else than it should")
		}
		return t.openModel(model)
	}
	if p, err = predict.Open(t.engine, filepath.Join(t.dir, modelFile)); err != nil {
		return nil, nil, err
	}
	return p, p.Close, nil
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
