// Package trial trains a configuration's network for a few iterations on rendered streets,
// without data sets, files or a run: what a machine is checked and measured by.
package trial

import (
	"context"
	"fmt"

	"go.uber.org/zap"

	"t2sda/configs"
	"t2sda/datasets"
	"t2sda/datasets/streets"
	"t2sda/graphs/engine"
	"t2sda/graphs/weights"
	"t2sda/internal/ranks"
	"t2sda/orchestrator/learner"
)

// Load reads a preset with settings; data roots are set to something, since nothing is
// read from them.
func Load(preset string, settings ...string) (configs.Config, error) {
	const unread = "unread"
	roots := []string{"data.source.root=" + unread, "data.target.root=" + unread, "data.eval.root=" + unread}
	return configs.Load(preset, append(roots, settings...))
}

// Batches draws n batches of the configuration's crops: streets of the procedural world,
// the source's darkened as its translated ones.
func Batches(cfg configs.Config, n int) []*datasets.Batch {
	all := make([]*datasets.Batch, n)
	w, h := cfg.Data.Crop.Width, cfg.Data.Crop.Height
	for k := range all {
		b := &datasets.Batch{Iteration: k}
		for i := range cfg.Train.Batch {
			street := k*cfg.Train.Batch + i
			source, labels := streets.Render(cfg.Seed, street, streets.Game, w, h)
			target, _ := streets.Render(cfg.Seed, street, streets.Camera, w, h)
			pseudo := source.Crop(0, 0, w, h)
			for p := range pseudo.Pix {
				pseudo.Pix[p] *= 0.8
			}
			b.Source, b.Pseudo, b.Target = append(b.Source, source), append(b.Pseudo, pseudo), append(b.Target, target)
			b.SourceLabels = append(b.SourceLabels, labels)
			b.SourceIDs, b.TargetIDs = append(b.SourceIDs, fmt.Sprint("game ", street)), append(b.TargetIDs, fmt.Sprint("camera ", street))
			b.TargetRows = append(b.TargetRows, datasets.Rows{Of: h})
		}
		all[k] = b
	}
	return all
}

// Trial is a learner with its batches.
type Trial struct {
	*learner.Learner
	batches []*datasets.Batch
}

// New makes a configuration's learner on an engine, which the caller closes after it, alone
// (nil) or among ranks. model.init may name weights of the program's, no files.
func New(e *engine.Engine, cfg configs.Config, batches []*datasets.Batch, g *ranks.Group) (*Trial, error) {
	o := learner.Options{Config: cfg, Space: datasets.Cityscapes19(), Log: zap.NewNop(), Ranks: g}
	if cfg.Model.Init != "" {
		have, _, err := weights.LoadPretrained(cfg.Model.Init)
		if err != nil {
			return nil, fmt.Errorf("model.init: %w", err)
		}
		o.Initial, o.Source = have, cfg.Model.Init
	}
	l, err := learner.New(e, o)
	if err != nil {
		return nil, err
	}
	return &Trial{l, batches}, nil
}

// Step trains iteration it on the batch whose turn it is.
func (t *Trial) Step(ctx context.Context, it int) (learner.Step, error) {
	return t.Iterate(ctx, it, func(context.Context) (*datasets.Batch, error) { return t.batches[it%len(t.batches)], nil })
}
