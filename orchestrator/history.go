package orchestrator

import (
	"maps"
	"math"
	"path/filepath"
	"slices"
	"time"

	"t2sda/configs"
	"t2sda/export/picture"
	"t2sda/export/report"
	"t2sda/orchestrator/learner"
)

// addHistory fills curves, tables over time and stages from the run's events,
// and the baseline's curve from its own.
func (t *trainer) addHistory(d *report.Data, baseline *Outcome) error {
	events, err := t.readEvents(t.dir)
	if err != nil {
		return err
	}
	addLosses(d, events)
	addClasses(d, events)
	d.Why.Pulled = pulled(events)
	addMetric(d, string(t.cfg.Method), events)
	if baseline != nil {
		before, err := t.readEvents(baseline.Dir)
		if err != nil {
			return err
		}
		addMetric(d, configs.SourceOnly, before)
	}
	d.Stages = t.stages(events, baseline)
	return nil
}

// readEvents reads the events of the run in dir. Lines that cannot be read are left out,
// with a warning each: curves are not worth a run.
func (t *trainer) readEvents(dir string) ([]Event, error) {
	events, torn, err := readEventLines(filepath.Join(dir, eventsFile))
	for _, fault := range torn {
		t.warn(fault.Error() + ": left out")
	}
	return events, err
}

func addLosses(d *report.Data, events []Event) {
	series := map[string]*picture.Series{}
	for _, e := range events {
		for k, v := range e.Losses {
			if series[k] == nil {
				series[k] = &picture.Series{Name: k, Smooth: true}
			}
			series[k].X, series[k].Y = append(series[k].X, float64(e.Iteration+1)), append(series[k].Y, v)
		}
	}
	for _, k := range slices.Sorted(maps.Keys(series)) {
		d.Losses = append(d.Losses, *series[k])
	}
}

func addMetric(d *report.Data, name string, events []Event) {
	metric := picture.Series{Name: name, Dots: true}
	for _, e := range events {
		if e.MIoU != nil {
			metric.X, metric.Y = append(metric.X, float64(e.Iteration+1)), append(metric.Y, 100**e.MIoU)
		}
	}
	if len(metric.X) > 0 {
		d.Metric = append(d.Metric, metric)
	}
}

// addClasses adds what is recorded per class. A weight of 0 is that of a class
// without queries: it has none. Weights of a run without any are left out.
func addClasses(d *report.Data, events []Event) {
	weighted := false
	for _, e := range events {
		x := float64(e.Iteration + 1)
		if len(e.Queries) > 0 {
			row := make([]float64, len(e.Queries))
			for k, n := range e.Queries {
				row[k] = float64(n)
			}
			d.Queries.Iterations, d.Queries.Values = append(d.Queries.Iterations, x), append(d.Queries.Values, row)
		}
		if len(e.Weights) > 0 {
			row := slices.Clone(e.Weights)
			for k, w := range row {
				if w == 0 {
					row[k] = math.NaN()
					continue
				}
				weighted = true
			}
			d.Weights.Iterations, d.Weights.Values = append(d.Weights.Iterations, x), append(d.Weights.Values, row)
		}
	}
	if !weighted {
		d.Weights = picture.ClassHistory{}
	}
}

// stageEvaluation is the stage of evaluations during training.
const stageEvaluation = "evaluation"

// stages sums up where the run's time went: in the iterations' stages, in what
// followed training, in the baseline and, the difference to the whole, in the
// rest.
func (t *trainer) stages(events []Event, baseline *Outcome) []report.Stage {
	seconds, count := map[string]float64{}, map[string]int{}
	for _, e := range events {
		for k, v := range e.Seconds {
			seconds[k] += v
			count[k]++
		}
	}
	var out []report.Stage
	for _, s := range append(t.learner.Stages(), learner.Stage{Name: stageEvaluation, Note: "of the student during training"}) {
		if count[s.Name] > 0 {
			out = append(out, report.Stage{Name: s.Name, Note: s.Note, Count: count[s.Name], Seconds: seconds[s.Name]})
		}
	}
	out = append(out, t.delivery...)
	rest := t.seconds()
	for _, s := range out {
		rest -= s.Seconds
	}
	out = append(out, report.Stage{Name: "the rest", Note: "opening data, building networks, checkpoints, pictures", Seconds: max(rest, 0)})
	if baseline != nil {
		out = append(out, report.Stage{Name: "baseline", Note: "the " + configs.SourceOnly + " run, all of it", Seconds: baseline.Seconds})
	}
	return out
}

// deliverStage runs a step that follows training and notes its time.
func (t *trainer) deliverStage(name, note string, run func() error) error {
	t.log.Debug(name)
	start := time.Now()
	err := run()
	t.delivery = append(t.delivery, report.Stage{Name: name, Note: note, Seconds: time.Since(start).Seconds()})
	return err
}
