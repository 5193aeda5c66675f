package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"t2sda/configs"
	"t2sda/datasets"
	"t2sda/export/picture"
	"t2sda/export/predict"
	"t2sda/export/report"
	"t2sda/internal/raster"
)

// Rows of the report's strips of pictures. reportSamples is also the number of
// images that the export is checked on.
const (
	reportSamples = 4
	reportWorst   = 6
)

// keepPicture draws a strip as one picture beside the report, for a quick look.
func (t *trainer) keepPicture(name string, s report.Strip) error {
	drawn, err := picture.Strip(t.data.space, s.Columns, s.Rows)
	if err != nil {
		return err
	}
	text, err := raster.EncodePNG(drawn)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return t.disk.Write(filepath.Join(t.dir, name), text)
}

// inputs shows training crops of the first iterations: source, labels,
// pseudo-target and target, as far as the method uses them.
func (t *trainer) inputs(ctx context.Context) (report.Strip, error) {
	s := report.Strip{
		Title: "What went in", Caption: "Crops of the first iterations.",
		Columns: []string{"labelled image", "its labels"},
	}
	for it := 0; len(s.Rows) < reportSamples && it < t.cfg.Train.Iterations; it++ {
		batch, err := t.data.loader.Batch(ctx, it)
		if err != nil {
			return report.Strip{}, err
		}
		if it == 0 {
			if batch.Pseudo != nil {
				s.Columns = append(s.Columns, "pseudo-target: "+t.cfg.Translate.Engine.String())
			}
			if batch.Target != nil {
				s.Columns = append(s.Columns, "target image")
			}
		}
		s.Rows = append(s.Rows, inputRows(batch)...)
	}
	s.Rows = s.Rows[:min(len(s.Rows), reportSamples)]
	return s, nil
}

// inputRows are a batch's images, a row per labelled one.
func inputRows(b *datasets.Batch) []picture.StripRow {
	join := " and "
	if b.Pseudo != nil {
		join = " in the style of "
	}
	rows := make([]picture.StripRow, len(b.Source))
	for i := range rows {
		row := picture.StripRow{Title: b.SourceIDs[i], Cells: []picture.Cell{{Image: b.Source[i]}, {Labels: b.SourceLabels[i]}}}
		if b.Pseudo != nil {
			row.Cells = append(row.Cells, picture.Cell{Image: b.Pseudo[i]})
		}
		if b.Target != nil {
			row.Cells = append(row.Cells, picture.Cell{Image: b.Target[i]})
			row.Title += join + b.TargetIDs[i]
		}
		rows[i] = row
	}
	return rows
}

// outputs shows evaluation images with the predictions before adaptation (of
// the baseline's model, if any) and after it, and the truth.
func (t *trainer) outputs(ctx context.Context, p *predict.Predictor, baseline *Outcome) (_ report.Strip, err error) {
	s := report.Strip{
		Title: "What came out", Caption: "Images of the evaluation split, which were never trained on.",
		Columns: []string{"target image"},
	}
	var predictors []*predict.Predictor
	if baseline != nil {
		before, openErr := predict.Open(t.engine, filepath.Join(baseline.Dir, modelFile))
		if openErr != nil {
			return report.Strip{}, openErr
		}
		defer func() { err = errors.Join(err, before.Close()) }()
		s.Columns, predictors = append(s.Columns, "before: "+configs.SourceOnly), append(predictors, before)
	}
	after := "prediction"
	if baseline != nil {
		after = "after: " + string(t.cfg.Method)
	}
	s.Columns, predictors = append(s.Columns, after, "truth"), append(predictors, p)
	n := min(reportSamples, t.data.eval.Len())
	for i := range n {
		// Spread over the split, which lies on disk city by city.
		sample, err := t.data.eval.Load(ctx, i*t.data.eval.Len()/n)
		if err != nil && t.cfg.SkipsBadFiles() && ctx.Err() == nil {
			continue
		}
		if err != nil {
			return report.Strip{}, err
		}
		cells := []picture.Cell{{Image: sample.Image}}
		for _, p := range predictors {
			labels, err := p.Predict(ctx, sample.Image)
			if err != nil {
				return report.Strip{}, err
			}
			cells = append(cells, picture.Cell{Labels: labels})
		}
		s.Rows = append(s.Rows, picture.StripRow{Title: sample.ID, Cells: append(cells, picture.Cell{Labels: sample.Labels})})
	}
	return s, nil
}
