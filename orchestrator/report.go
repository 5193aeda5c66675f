package orchestrator

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"path/filepath"
	"time"

	"go.uber.org/zap"

	"t2sda/configs"
	"t2sda/export/predict"
	"t2sda/export/report"
	"t2sda/internal/plural"
	"t2sda/internal/shell"
)

// report writes report.html and pictures beside it. baseline is nil for a run
// without one.
func (t *trainer) report(ctx context.Context, out, baseline *Outcome, p *predict.Predictor) error {
	var strips []report.Strip
	var worst report.Strip
	for _, part := range []struct {
		name string
		make func() error
	}{
		{"training images", func() error {
			return t.addStrip(&strips, inputsFile, func() (report.Strip, error) { return t.inputs(ctx) })
		}},
		{"predictions", func() error {
			return t.addStrip(&strips, predictionsFile, func() (report.Strip, error) { return t.outputs(ctx, p, baseline) })
		}},
		{"worst images", func() (err error) {
			worst, err = report.Worst(ctx, t.data.eval, p.Predict, out.Result.Worst)
			return err
		}},
	} {
		if err := part.make(); err != nil {
			if ctx.Err() != nil {
				return err
			}
			t.log.Warn("the report does without the "+part.name, zap.Error(err))
		}
	}
	d, err := t.reportData(out)
	if err != nil {
		return err
	}
	err = t.deliverStage("why", "looks and similarity of the domains, for the report", func() (err error) {
		d.Why, err = t.why(ctx, baseline)
		return err
	})
	if err != nil {
		return err
	}
	d.Samples, d.Worst = strips, worst
	if err := t.addHistory(&d, baseline); err != nil {
		return err
	}
	var page bytes.Buffer
	if err := report.Render(&page, d); err != nil {
		return fmt.Errorf("%s: %w", reportFile, err)
	}
	return t.disk.Write(filepath.Join(t.dir, reportFile), page.Bytes())
}

// addStrip makes a strip of pictures and keeps it in a file of its own, too.
func (t *trainer) addStrip(strips *[]report.Strip, file string, make func() (report.Strip, error)) error {
	s, err := make()
	if err != nil {
		return err
	}
	*strips = append(*strips, s)
	return t.keepPicture(file, s)
}

// reportData is what the report says, without pictures and history.
func (t *trainer) reportData(out *Outcome) (report.Data, error) {
	config, err := t.cfg.YAML()
	if err != nil {
		return report.Data{}, err
	}
	command, err := readCommands(t.home)
	return report.Data{
		Title:   fmt.Sprintf("%s: %s", t.cfg.Name, t.cfg.Method),
		Summary: out.summary(),
		Facts:   t.facts(),
		Space:   t.data.space,
		Final:   out.Result, FinalName: string(t.cfg.Method), Baseline: out.Baseline, BaselineName: configs.SourceOnly,
		Files: []report.Fact{
			{Name: "model", Value: filepath.Join(t.dir, modelFile)},
			{Name: "checkpoints", Value: filepath.Join(t.dir, checkpointDir)},
			{Name: "events", Value: filepath.Join(t.dir, eventsFile)},
			{Name: "result", Value: filepath.Join(t.dir, resultFile)},
			{Name: "configuration", Value: filepath.Join(t.dir, ConfigFile)},
		},
		Version: t.version, Command: command, Again: t.program + " train -c " + shell.Quote(filepath.Join(t.dir, ConfigFile)),
		Config: string(config), ConfigHash: t.progress.ConfigHash, Created: time.Now(),
	}, err
}

func (t *trainer) facts() []report.Fact {
	c := t.cfg
	init := "random weights"
	if c.Model.Init != "" {
		init = "weights of " + c.Model.Init
	}
	facts := []report.Fact{
		{Name: "method", Value: fmt.Sprintf("%s: %s", c.Method, c.Method.Sentence())},
		{Name: "labelled images", Value: fmt.Sprintf("%d in %s", t.data.source.Len(), t.data.source.Root())},
	}
	images := fmt.Sprintf("%d labelled images", c.Train.Batch*c.Train.MicroBatches())
	if t.data.target != nil {
		images += " and as many target images"
		facts = append(facts, report.Fact{Name: "target images", Value: fmt.Sprintf("%d in %s, without labels", t.data.target.Len(), t.data.target.Root())})
	}
	if c.UsesPseudo() {
		facts = append(facts, report.Fact{Name: "translation", Value: c.Translate.Engine.String()})
	}
	if text := t.progress.Skipped.summary(); text != "" {
		facts = append(facts, report.Fact{Name: "left out", Value: text})
	}
	iterations := fmt.Sprint(c.Train.Iterations)
	if n := len(c.Train.Extended); n > 0 {
		iterations += fmt.Sprintf(" (extended after %d)", c.Train.Extended[n-1])
	}
	info := t.engine.Info()
	return append(
		facts,
		report.Fact{Name: "evaluated on", Value: plural.Of(t.data.eval.Len(), "image", "images") + " in " + t.data.eval.Root()},
		report.Fact{Name: "network", Value: fmt.Sprintf("%s + %s, %d classes, from %s%s", c.Model.Encoder, c.Model.Head, t.learner.Arch().Classes, init, trained(c.Model))},
		report.Fact{Name: "iterations", Value: fmt.Sprintf("%s of %s, crops of %d×%d pixels", iterations, images, c.Data.Crop.Width, c.Data.Crop.Height)},
		report.Fact{Name: "learning rate", Value: fmt.Sprintf("%.3g, head %.3g", c.Train.LR, c.Train.LR*c.Train.HeadLRFactor)},
		report.Fact{Name: "seed", Value: fmt.Sprint(c.Seed)},
		report.Fact{Name: "device", Value: fmt.Sprintf("%s, ONNX Runtime %s", info.Device, info.Version)},
	)
}

// trained says what of the encoder is trained, where that is not all of it.
func trained(m configs.Model) string {
	switch m.EncoderTrain {
	case configs.TrainFrozen:
		return "; the encoder is frozen"
	case configs.TrainLoRA:
		rank, alpha := m.LoRA.Resolved()
		return fmt.Sprintf("; of the encoder LoRA is trained, rank %d, α %g", rank, alpha)
	}
	return ""
}

// summary is the outcome in a sentence.
func (out *Outcome) summary() string {
	s := fmt.Sprintf("%s reaches %.1f %% mIoU on %d target images", out.Method, 100*float64(out.Result.MIoU), out.Result.Images)
	if out.Baseline != nil {
		gain := 100 * float64(out.Result.MIoU-out.Baseline.MIoU)
		s += fmt.Sprintf(", %.1f points %s source-only training of the same length", math.Abs(gain), map[bool]string{true: "above", false: "below"}[gain >= 0])
	}
	return s + "."
}
