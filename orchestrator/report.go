package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"time"

	"t2sda/configs"
	"t2sda/datasets"
	"t2sda/export"
)

// report writes report.html and the strip of pictures beside it.
func (t *trainer) report(ctx context.Context, out *Outcome, p *export.Predictor, baselineModel string) error {
	events, err := ReadEvents(filepath.Join(t.dir, eventsFile))
	if err != nil {
		return err
	}
	strip, err := t.strip(ctx, p, baselineModel)
	if err != nil {
		return err
	}
	if err := export.WritePNG(filepath.Join(t.dir, stripFile), strip.Picture); err != nil {
		return err
	}
	text, err := t.cfg.YAML()
	if err != nil {
		return err
	}
	d := export.ReportData{
		Title:   fmt.Sprintf("%s: %s", t.cfg.Name, t.cfg.Method),
		Summary: out.summary(),
		Facts:   t.facts(),
		Space:   t.data.space,
		Final:   out.Result, FinalName: t.cfg.Method, Baseline: out.Baseline, BaselineName: configs.SourceOnly,
		Figures: []export.Figure{strip},
		Files: []export.Fact{
			{Name: "model", Value: filepath.Join(t.dir, modelFile)},
			{Name: "checkpoints", Value: filepath.Join(t.dir, checkpointDir)},
			{Name: "events", Value: filepath.Join(t.dir, eventsFile)},
			{Name: "result", Value: filepath.Join(t.dir, resultFile)},
		},
		Version: t.version, Command: "t2sda train -c " + filepath.Join(t.dir, configFile), Config: string(text),
		ConfigHash: t.progress.ConfigHash, Created: time.Now(),
	}
	history(&d, events)
	return export.WriteReport(filepath.Join(t.dir, reportFile), d)
}

func (t *trainer) facts() []export.Fact {
	c := t.cfg
	facts := []export.Fact{
		{Name: "labelled images", Value: fmt.Sprintf("%d in %s", t.data.source.Len(), t.data.source.Root())},
		{Name: "network", Value: fmt.Sprintf("%s + %s, %d classes", c.Model.Encoder, c.Model.Head, t.arch.Classes)},
		{Name: "iterations", Value: fmt.Sprintf("%d of %d images, crop %d×%d", c.Train.Iterations, c.Train.Batch, c.Data.Crop.Width, c.Data.Crop.Height)},
		{Name: "seed", Value: fmt.Sprint(c.Seed)},
		{Name: "evaluated on", Value: fmt.Sprintf("%d images in %s", t.data.eval.Len(), t.data.eval.Root())},
		{Name: "device", Value: t.engine.Info().Device},
	}
	if t.data.target != nil {
		target := export.Fact{Name: "target images", Value: fmt.Sprintf("%d in %s, without labels", t.data.target.Len(), t.data.target.Root())}
		facts = slices.Insert(facts, 1, target)
	}
	return facts
}

// history fills curves and tables over time from the events.
func history(d *export.ReportData, events []Event) {
	series := map[string]*export.Series{}
	metric := export.Series{Name: "target mIoU", Dots: true}
	stages := map[string]float64{}
	for _, e := range events {
		x := float64(e.Iteration + 1)
		for k, v := range e.Losses {
			if series[k] == nil {
				series[k] = &export.Series{Name: k, Smooth: true}
			}
			series[k].X, series[k].Y = append(series[k].X, x), append(series[k].Y, v)
		}
		if e.MIoU != nil {
			metric.X, metric.Y = append(metric.X, x), append(metric.Y, 100**e.MIoU)
		}
		for k, v := range e.Seconds {
			stages[k] += v
		}
		appendHistory(&d.Queries, x, e.Queries, len(events))
		appendHistory(&d.Weights, x, e.Weights, len(events))
	}
	for _, k := range slices.Sorted(maps.Keys(series)) {
		d.Losses = append(d.Losses, *series[k])
	}
	if len(metric.X) > 0 {
		d.Metric = []export.Series{metric}
	}
	for _, k := range slices.Sorted(maps.Keys(stages)) {
		d.Stages = append(d.Stages, export.StageTime{Name: k, Seconds: stages[k]})
	}
}

// appendHistory adds a point per class, thinned to about 200 points over a run.
func appendHistory[T int | float64](h *export.ClassHistory, x float64, values []T, events int) {
	if len(values) == 0 || int(x)%max(1, events/200) != 0 {
		return
	}
	row := make([]float64, len(values))
	for i, v := range values {
		row[i] = float64(v)
	}
	h.Iterations, h.Values = append(h.Iterations, x), append(h.Values, row)
}

// strip shows what went in and what came out on the first few samples: source,
// pseudo-target, target image, prediction before and after, truth.
func (t *trainer) strip(ctx context.Context, p *export.Predictor, baselineModel string) (_ export.Figure, err error) {
	before, closeBefore, err := t.openBaseline(baselineModel)
	if err != nil {
		return export.Figure{}, err
	}
	defer func() { err = errors.Join(err, closeBefore()) }()
	batch, err := t.data.loader.Batch(ctx, 0)
	if err != nil {
		return export.Figure{}, err
	}
	columns := []string{"source", "its labels"}
	if batch.Pseudo != nil {
		columns = append(columns, "pseudo-target")
	}
	columns = append(columns, "target")
	if before != nil {
		columns = append(columns, "before: "+configs.SourceOnly)
	}
	columns = append(columns, "after: "+t.cfg.Method, "truth")
	var rows []export.StripRow
	n := min(reportSamples, t.data.eval.Len(), len(batch.Source))
	for i := range n {
		// Spread over the split, which lies on disk city by city.
		row, err := t.stripRow(ctx, i, i*t.data.eval.Len()/n, batch, before, p)
		if err != nil {
			return export.Figure{}, err
		}
		rows = append(rows, row)
	}
	caption := "Left: training crops of the first iteration. Right: evaluation images"
	if t.cfg.Method != configs.TargetOnly { // which may be given their labels
		caption += " that the training never saw labels of"
	}
	picture, err := export.Strip(t.data.space, columns, rows)
	return export.Figure{
		Title:   "What went in, what came out",
		Caption: caption + ".",
		Picture: picture,
	}, err
}

func (t *trainer) openBaseline(path string) (*export.Predictor, func() error, error) {
	if path == "" {
		return nil, func() error { return nil }, nil
	}
	p, err := export.OpenPredictor(t.engine, path)
	if err != nil {
		return nil, nil, err
	}
	return p, p.Close, nil
}

// stripRow shows element i of the batch and evaluation image `index`.
func (t *trainer) stripRow(ctx context.Context, i, index int, batch *datasets.Batch, before, after *export.Predictor) (export.StripRow, error) {
	cells := []export.Cell{{Image: batch.Source[i]}, {Labels: batch.SourceLabels[i]}}
	if batch.Pseudo != nil {
		cells = append(cells, export.Cell{Image: batch.Pseudo[i]})
	}
	sample, err := t.data.eval.Load(ctx, index)
	if err != nil {
		return export.StripRow{}, err
	}
	cells = append(cells, export.Cell{Image: sample.Image})
	for _, p := range []*export.Predictor{before, after} {
		if p == nil {
			continue
		}
		labels, err := p.Predict(ctx, sample.Image)
		if err != nil {
			return export.StripRow{}, err
		}
		cells = append(cells, export.Cell{Labels: labels})
	}
	return export.StripRow{Title: sample.ID, Cells: append(cells, export.Cell{Labels: sample.Labels})}, nil
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
