package orchestrator

import (
	"context"
	"fmt"

	"go.uber.org/zap"

	"t2sda/configs"
	"t2sda/export/report"
	"t2sda/losses"
	"t2sda/orchestrator/features"
)

// whyImages bounds the images of each domain that similarity is measured on: a
// report must not take long. `t2sda analyze` takes as many as it is asked for.
const whyImages = 100

// why measures what the report says about why adaptation worked or not. What
// cannot be measured costs the report that part, and not the run its result.
func (t *trainer) why(ctx context.Context, baseline *Outcome) (report.Why, error) {
	var w report.Why
	for _, part := range []struct {
		name    string
		measure func() error
	}{
		{"looks", func() (err error) { w.Looks, err = t.looks(ctx); return err }},
		{"similarity", func() (err error) { w.Alike, err = t.alike(ctx, baseline); return err }},
	} {
		if err := part.measure(); err != nil {
			if ctx.Err() != nil {
				return w, err
			}
			t.log.Warn("the report does without the domains' "+part.name, zap.Error(err))
		}
	}
	return w, nil
}

// alikeCaption says what was measured on how many source and target images.
const alikeCaption = "Cosine between a class's mean feature on %d of %d labelled source images and on %d of %d images of the evaluation split, " +
	"drawn at random; features of the last layer before the classifier. High: the network sees the class alike in both domains. t2sda analyze measures more of it."

// alike measures how alike each class's features are on the labelled images and
// on those of the target, by the trained network and by the baseline's. The
// oracle's labelled images are the target's own: there is nothing to measure.
func (t *trainer) alike(ctx context.Context, baseline *Outcome) (report.Alike, error) {
	if t.cfg.LabelsTarget() {
		return report.Alike{}, nil
	}
	source, err := features.Choose(ctx, configs.DomainSource, t.data.source, whyImages, t.cfg.Seed, t.cfg.SkipsBadFiles())
	if err != nil {
		return report.Alike{}, err
	}
	target, err := features.Choose(ctx, configs.DomainTarget, t.data.eval, whyImages, t.cfg.Seed, t.cfg.SkipsBadFiles())
	if err != nil {
		return report.Alike{}, err
	}
	var a report.Alike
	measure := func(n features.Network) ([]float64, error) {
		return features.Similarities(ctx, t.engine, n, features.Head, source, target, t.cfg.Data.Workers)
	}
	own := features.Network{Arch: t.learner.Arch(), Lookup: t.learner.Student, Rule: losses.GridRule(t.cfg.Loss.Pull.GridLabels)}
	if a.After, err = measure(own); err != nil {
		return a, err
	}
	a.Caption = fmt.Sprintf(alikeCaption, len(source.Chosen), t.data.source.Len(), len(target.Chosen), t.data.eval.Len())
	for _, d := range []*features.Images{source, target} {
		if text := d.LeftOut(); text != "" {
			t.log.Warn("the domains' similarity: " + text)
		}
	}
	if baseline == nil {
		return a, nil
	}
	before, err := OpenNetwork(baseline.Dir, "last", Student)
	if err != nil { // its checkpoints may be deleted by now: what it would stand beside is still there
		t.log.Warn("the report shows no similarity before adaptation", zap.Error(err))
		return a, nil
	}
	a.Before, err = measure(before.Features())
	return a, err
}
