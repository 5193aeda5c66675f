package sweep

import (
	"fmt"
	"math"

	"t2sda/export/score"
)

// column is one of the table's, with what it says of a row.
type column struct {
	head string
	cell func(r Row) string
}

// columns lists those of the table.
func (t *Table) columns() []column {
	all := []column{{"row", func(r Row) string { return r.Name }}}
	for k, seed := range t.Seeds {
		all = append(all, column{fmt.Sprintf("seed %d", seed), func(r Row) string { return r.MIoU[k].Short() }})
	}
	all = append(all, t.means()...)
	all = append(all, t.against()...)
	return append(all, column{"s/run", func(r Row) string {
		if r.runs() == 0 {
			return "–"
		}
		return fmt.Sprintf("%.0f", r.Seconds)
	}})
}

// means are the means over the seeds, each beside what was published.
func (t *Table) means() []column {
	all := []column{{"mean ± std", func(r Row) string { return spread("%.1f", r.Mean, r.Std, r.runs()) }}}
	all = t.addPublished(all, t.Paper.heading(), "%.1f", (*Figures).miou)
	for k, name := range t.furtherSubsets() {
		all = append(all, column{name, func(r Row) string {
			return spread("%.1f", r.Further[k].Mean, r.Further[k].Std, r.Further[k].Runs)
		}})
		all = t.addPublished(all, "published, "+name, "%.1f", func(f *Figures) score.Score {
			if figure, ok := f.Subsets[name]; ok {
				return figure
			}
			return missing
		})
	}
	return all
}

// against are the differences to the baseline, and what of the gap to the oracle is
// recovered, each beside what was published.
func (t *Table) against() []column {
	var all []column
	if t.Baseline != "" {
		all = append(all, column{"difference", func(r Row) string {
			return spread("%+.1f", r.Difference, r.DifferenceStd, t.pairs(r))
		}})
		all = t.addPublished(all, "published difference", "%+.1f", func(f *Figures) score.Score { return f.Difference })
	}
	if t.Oracle != "" {
		all = append(all, column{"gap recovered", func(r Row) string { return spread("%.0f %%", r.Gap, 0, 1) }})
		all = t.addPublished(all, "published gap", "%.0f %%", func(f *Figures) score.Score { return f.Gap })
	}
	return all
}

// addPublished adds a column of published figures if there are any.
func (t *Table) addPublished(all []column, head, format string, figure func(*Figures) score.Score) []column {
	if !t.publishes(figure) {
		return all
	}
	return append(all, column{head, func(r Row) string { return r.published(format, figure) }})
}

// cells are the table's texts, the heads first.
func (t *Table) cells() [][]string {
	columns := t.columns()
	lines := make([][]string, 1+len(t.Rows))
	for _, c := range columns {
		lines[0] = append(lines[0], c.head)
		for i, r := range t.Rows {
			lines[1+i] = append(lines[1+i], c.cell(r))
		}
	}
	return lines
}

// runs counts the row's runs that reached something.
func (r Row) runs() int {
	n := 0
	for _, m := range r.MIoU {
		if !math.IsNaN(float64(m)) {
			n++
		}
	}
	return n
}

// pairs counts the seeds that the row and the baseline have.
func (t *Table) pairs(r Row) int {
	n := 0
	for _, base := range t.Rows {
		for k := range base.MIoU {
			if base.Name == t.Baseline && !math.IsNaN(float64(base.MIoU[k]+r.MIoU[k])) {
				n++
			}
		}
	}
	return n
}

// spread writes mean ± deviation of n values in per cent.
func spread(format string, mean, std score.Score, n int) string {
	switch {
	case math.IsNaN(float64(mean)):
		return "–"
	case n < 2:
		return fmt.Sprintf(format, 100*float64(mean))
	}
	return fmt.Sprintf(format+" ± %.1f", 100*float64(mean), 100*float64(std))
}
