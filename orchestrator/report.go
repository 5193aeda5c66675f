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
	"t2sda/export/picture"
	"t2sda/export/predict"
	"t2sda/export/report"
	"t2sda/internal/atomicfile"
	"t2sda/internal/raster"
)

// report writes report.html and its pictures beside it.
func (t *trainer) report(ctx context.Context, out *Outcome, p *predict.Predictor, baselineModel string) error {
	events, err := ReadEvents(filepath.Join(t.dir, eventsFile))
	if err != nil {
		return err
	}
	in, err := t.inputs(ctx)
	if err != nil {
		return err
	}
	samples, err := t.outputs(ctx, p, baselineModel)
	if err != nil {
		return err
	}
	err = errors.Join(t.keepPicture(inputsFile, &in), t.keepPicture(predictionsFile, &samples))
	if err != nil {
		return err
	}
	d, err := t.reportData(out)
	if err != nil {
		return err
	}
	d.Figures = []report.Figure{samples, in}
	history(&d, events)
	return report.Write(filepath.Join(t.dir, reportFile), d)
}

// keepPicture writes a figure's picture beside the report, and keeps the bytes
// for the report itself.
func (t *trainer) keepPicture(name string, f *report.Figure) (err error) {
	if f.PNG, err = raster.EncodePNG(f.Picture); err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(t.dir, name), f.PNG)
}

// reportData is what the report says, without pictures and curves.
func (t *trainer) reportData(out *Outcome) (report.Data, error) {
	text, err := t.cfg.YAML()
	return report.Data{
		Title:   fmt.Sprintf("%s: %s", t.cfg.Name, t.cfg.Method),
		Summary: out.summary(),
		Facts:   t.facts(),
		Space:   t.data.space,
		Final:   out.Result, FinalName: t.cfg.Method, Baseline: out.Baseline, BaselineName: configs.SourceOnly,
		Files: []report.Fact{
			{Name: "model", Value: filepath.Join(t.dir, modelFile)},
			{Name: "checkpoints", Value: filepath.Join(t.dir, checkpointDir)},
			{Name: "events", Value: filepath.Join(t.dir, eventsFile)},
			{Name: "result", Value: filepath.Join(t.dir, resultFile)},
		},
		Version: t.version, Command: "t2sda train -c " + filepath.Join(t.dir, configFile), Config: string(text),
		ConfigHash: t.progress.ConfigHash, Created: time.Now(),
	}, err
}

func (t *trainer) facts() []report.Fact {
	c := t.cfg
	facts := []report.Fact{
		{Name: "labelled images", Value: fmt.Sprintf("%d in %s", t.data.source.Len(), t.data.source.Root())},
		{Name: "network", Value: fmt.Sprintf("%s + %s, %d classes", c.Model.Encoder, c.Model.Head, t.arch.Classes)},
		{Name: "iterations", Value: fmt.Sprintf("%d of %d images, crop %d×%d", c.Train.Iterations, c.Train.Batch, c.Data.Crop.Width, c.Data.Crop.Height)},
		{Name: "seed", Value: fmt.Sprint(c.Seed)},
		{Name: "evaluated on", Value: fmt.Sprintf("%d images in %s", t.data.eval.Len(), t.data.eval.Root())},
		{Name: "device", Value: t.engine.Info().Device},
	}
	if t.data.target != nil {
		target := report.Fact{Name: "target images", Value: fmt.Sprintf("%d in %s, without labels", t.data.target.Len(), t.data.target.Root())}
		facts = slices.Insert(facts, 1, target)
	}
	return facts
}

// history fills curves and tables over time from the events.
func history(d *report.Data, events []Event) {
	series := map[string]*picture.Series{}
	metric := picture.Series{Name: "target mIoU", Dots: true}
	stages := map[string]float64{}
	for _, e := range events {
		x := float64(e.Iteration + 1)
		for k, v := range e.Losses {
			if series[k] == nil {
				series[k] = &picture.Series{Name: k, Smooth: true}
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
		d.Metric = []picture.Series{metric}
	}
	for _, k := range slices.Sorted(maps.Keys(stages)) {
		d.Stages = append(d.Stages, report.StageTime{Name: k, Seconds: stages[k]})
	}
}

// appendHistory adds a point per class, thinned to about 200 points over a run.
func appendHistory[T int | float64](h *picture.ClassHistory, x float64, values []T, events int) {
	if len(values) == 0 || int(x)%max(1, events/200) != 0 {
		return
	}
	row := make([]float64, len(values))
	for i, v := range values {
		row[i] = float64(v)
	}
	h.Iterations, h.Values = append(h.Iterations, x), append(h.Values, row)
}

// inputs shows training crops of the first iteration: source, labels,
// pseudo-target and target, as far as the method uses them.
func (t *trainer) inputs(ctx context.Context) (report.Figure, error) {
	batch, err := t.data.loader.Batch(ctx, 0)
	if err != nil {
		return report.Figure{}, err
	}
	columns := []string{"labelled image", "its labels"}
	if batch.Pseudo != nil {
		columns = append(columns, "pseudo-target: "+t.cfg.Translate.Engine)
	}
	if batch.Target != nil {
		columns = append(columns, "target image")
	}
	var rows []picture.StripRow
	for i := range min(reportSamples, len(batch.Source)) {
		cells := []picture.Cell{{Image: batch.Source[i]}, {Labels: batch.SourceLabels[i]}}
		if batch.Pseudo != nil {
			cells = append(cells, picture.Cell{Image: batch.Pseudo[i]})
		}
		if batch.Target != nil {
			cells = append(cells, picture.Cell{Image: batch.Target[i]})
		}
		rows = append(rows, picture.StripRow{Title: batch.SourceIDs[i], Cells: cells})
	}
	picture, err := picture.Strip(t.data.space, columns, rows)
	return report.Figure{Title: "What went in", Caption: "Crops of the first iteration.", Picture: picture}, err
}

// outputs shows evaluation images with the predictions before (of the model
// file baselineModel, if any) and after adaptation, and the truth.
func (t *trainer) outputs(ctx context.Context, p *predict.Predictor, baselineModel string) (_ report.Figure, err error) {
	columns, predictors := []string{"target image"}, []*predict.Predictor{}
	if baselineModel != "" {
		before, openErr := predict.Open(t.engine, baselineModel)
		if openErr != nil {
			return report.Figure{}, openErr
		}
		defer func() { err = errors.Join(err, before.Close()) }()
		columns, predictors = append(columns, "before: "+configs.SourceOnly), append(predictors, before)
	}
	columns, predictors = append(columns, "after: "+t.cfg.Method, "truth"), append(predictors, p)
	var rows []picture.StripRow
	n := min(reportSamples, t.data.eval.Len())
	for i := range n {
		// Spread over the split, which lies on disk city by city.
		sample, err := t.data.eval.Load(ctx, i*t.data.eval.Len()/n)
		if err != nil {
			return report.Figure{}, err
		}
		cells := []picture.Cell{{Image: sample.Image}}
		for _, p := range predictors {
			labels, err := p.Predict(ctx, sample.Image)
			if err != nil {
				return report.Figure{}, err
			}
			cells = append(cells, picture.Cell{Labels: labels})
		}
		rows = append(rows, picture.StripRow{Title: sample.ID, Cells: append(cells, picture.Cell{Labels: sample.Labels})})
	}
	picture, err := picture.Strip(t.data.space, columns, rows)
	return report.Figure{Title: "What came out", Caption: "Images of the evaluation split.", Picture: picture}, err
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
