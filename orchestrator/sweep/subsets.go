package sweep

import (
	"fmt"

	"t2sda/datasets"
	"t2sda/export/score"
	"t2sda/orchestrator"
)

// findSubsets finds the classes of the sweep's subsets in each row's list of classes, in the
// order of their train ids, in which evaluations add them up.
func (p *Plan) findSubsets() error {
	if len(p.sweep.Subsets) == 0 {
		return nil
	}
	p.subsets = map[string]map[string][]string{}
	for _, v := range p.variants {
		m, err := datasets.MapOf(v.Config.Data.Eval.Layout, v.Config.Data.Eval.Map)
		if err != nil {
			return fmt.Errorf("sweep %s: row %q: data.eval.map: %w", p.sweep.Name, v.Name, err)
		}
		if m == nil {
			return fmt.Errorf("sweep %s: row %q: data.eval.map: subsets are of a list of classes: name the label map", p.sweep.Name, v.Name)
		}
		found, names := map[string][]string{}, []string(nil)
		for _, g := range m.Grouping().Subsets {
			names = append(names, g.Name)
			for _, id := range g.Classes {
				found[g.Name] = append(found[g.Name], m.Space().Classes[id].Name)
			}
		}
		if err := p.sweep.CheckSubsets(names); err != nil {
			return fmt.Errorf("sweep %s: row %q: %w", p.sweep.Name, v.Name, err)
		}
		p.subsets[v.Name] = found
	}
	return nil
}

// entryOf translates a job's result, with the means over the sweep's subsets.
func (p *Plan) entryOf(j orchestrator.Job, r orchestrator.JobResult) Entry {
	e := scoredEntry(j, r)
	p.addSubsets(&e, j.Row)
	return e
}

// addSubsets works the run's means over the sweep's subsets out of its classes' IoU.
func (p *Plan) addSubsets(e *Entry, row string) {
	for _, name := range p.sweep.Subsets {
		if mean, ok := e.meanOver(p.subsets[row][name]); ok {
			if e.Subsets == nil {
				e.Subsets = map[string]score.Score{}
			}
			e.Subsets[name] = mean
		}
	}
}

// meanOver is the mean IoU over classes, of those that occur: the number that
// [score.Confusion.MeanIoU] has. Not ok: the run was not scored over all of them.
func (e *Entry) meanOver(classes []string) (mean score.Score, ok bool) {
	var all []float64
	for _, name := range classes {
		iou, there := e.IoU[name]
		if !there {
			return missing, false
		}
		all = append(all, float64(iou))
	}
	return score.Score(score.MeanValid(all)), len(all) > 0
}
