package sweep

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"t2sda/configs"
	"t2sda/export/score"
	"t2sda/internal/plural"
	"t2sda/internal/texttable"
	"t2sda/orchestrator"
)

// missing is the score of a run that is not there.
var missing = score.Score(math.NaN())

// Table is a sweep's result.
type Table struct {
	Name     string   `json:"name"`
	Title    string   `json:"title"`
	Caption  string   `json:"caption"`
	Baseline string   `json:"baseline,omitempty"`
	Oracle   string   `json:"oracle,omitempty"`
	Seeds    []uint64 `json:"seeds"`
	Rows     []Row    `json:"rows"`
	Failures []string `json:"failures,omitempty"`
	Runs     []Entry  `json:"runs"` // by configuration; also of what is not in the rows any more
}

// Row is a line of the table. NaN stands for what is not there.
type Row struct {
	Name string        `json:"name"`
	MIoU []score.Score `json:"miou"` // per seed
	Mean score.Score   `json:"mean"`
	Std  score.Score   `json:"std"` // of the sample, n − 1; 0 for one seed
	// The difference to the baseline row, over the seeds that both have: its mean
	// and the deviation of the seeds' differences.
	Difference    score.Score `json:"difference"`
	DifferenceStd score.Score `json:"difference_std"`
	// Gap is the share of the gap between baseline and oracle that the row's mean
	// recovers, over the seeds that all three have.
	Gap     score.Score `json:"gap_recovered"`
	Seconds float64     `json:"seconds"` // mean per run
}

// tabulate makes the table of everything in the store that belongs to the sweep's
// rows, and of the seeds that were asked for.
func (p *Plan) tabulate(s *store) *Table {
	t := &Table{Name: p.sweep.Name, Title: p.sweep.Title, Baseline: p.sweep.Baseline, Oracle: p.sweep.Oracle, Caption: p.caption(), Runs: s.runs}
	for _, seed := range s.seeds() {
		if !slices.Contains(p.seeds, seed) && slices.ContainsFunc(p.variants, func(v configs.Variant) bool { return p.find(s, v, seed) != nil }) {
			t.Seeds = append(t.Seeds, seed)
		}
	}
	t.Seeds = append(t.Seeds, p.seeds...)
	slices.Sort(t.Seeds)
	for _, v := range p.variants {
		row := Row{Name: v.Name}
		for _, seed := range t.Seeds {
			value := missing
			if e := p.find(s, v, seed); e != nil {
				value = e.MIoU
				row.Seconds += e.Seconds
				if e.Error != "" {
					t.Failures = append(t.Failures, fmt.Sprintf("row %s seed %d failed: %s", v.Name, seed, e.Error))
				}
			}
			row.MIoU = append(row.MIoU, value)
		}
		var n int
		row.Mean, row.Std, n = orchestrator.MeanStd(row.MIoU)
		row.Seconds /= float64(max(n, 1))
		t.Rows = append(t.Rows, row)
	}
	t.hold()
	return t
}

// find returns what the store has of a row and seed.
func (p *Plan) find(s *store, v configs.Variant, seed uint64) *Entry {
	j := p.job(v, seed)
	return s.find(j.Config.Hash(), p.threads)
}

// hold computes the differences to the baseline, and the gaps recovered.
func (t *Table) hold() {
	base, oracle := t.row(t.Baseline), t.row(t.Oracle)
	for i := range t.Rows {
		r := &t.Rows[i]
		if r.Difference, r.DifferenceStd, r.Gap = missing, missing, missing; base < 0 || i == base {
			continue
		}
		if oracle >= 0 {
			r.Gap = recovered(r.MIoU, t.Rows[base].MIoU, t.Rows[oracle].MIoU)
		}
		pairs := make([]score.Score, len(r.MIoU))
		for k := range pairs {
			pairs[k] = r.MIoU[k] - t.Rows[base].MIoU[k] // NaN where one of them is
		}
		r.Difference, r.DifferenceStd, _ = orchestrator.MeanStd(pairs)
	}
}

// row returns the index of a row, negative for none.
func (t *Table) row(name string) int {
	return slices.IndexFunc(t.Rows, func(r Row) bool { return r.Name == name })
}

// recovered is (mean − below) / (above − below), of the means over the seeds that
// have all three.
func recovered(row, below, above []score.Score) score.Score {
	var gain, gap score.Score
	for k := range row {
		if !math.IsNaN(float64(row[k] + below[k] + above[k])) {
			gain, gap = gain+row[k]-below[k], gap+above[k]-below[k]
		}
	}
	if gap == 0 {
		return missing
	}
	return gain / gap
}

// caption says what all rows have in common.
func (p *Plan) caption() string {
	common := fmt.Sprintf("configuration %s", p.sweep.Config)
	iterations := p.variants[0].Config.Train.Iterations
	if !slices.ContainsFunc(p.variants, func(v configs.Variant) bool { return v.Config.Train.Iterations != iterations }) {
		common += ", " + plural.Of(iterations, "iteration", "iterations")
	}
	return common + fmt.Sprintf(", threads per run: %d; target mIoU in %%", p.threads)
}

// cells are the table's texts, the heads first.
func (t *Table) cells() [][]string {
	head := []string{"row"}
	for _, s := range t.Seeds {
		head = append(head, fmt.Sprintf("seed %d", s))
	}
	head = append(head, "mean ± std")
	if t.Baseline != "" {
		head = append(head, "difference")
	}
	if t.Oracle != "" {
		head = append(head, "gap recovered")
	}
	lines := [][]string{append(head, "s/run")}
	for _, r := range t.Rows {
		line := []string{r.Name}
		n := 0
		for _, m := range r.MIoU {
			line = append(line, m.Short())
			if !math.IsNaN(float64(m)) {
				n++
			}
		}
		line = append(line, spread("%.1f", r.Mean, r.Std, n))
		if t.Baseline != "" {
			line = append(line, spread("%+.1f", r.Difference, r.DifferenceStd, t.pairs(r)))
		}
		if t.Oracle != "" {
			line = append(line, spread("%.0f %%", r.Gap, 0, 1))
		}
		seconds := "–"
		if n > 0 {
			seconds = fmt.Sprintf("%.0f", r.Seconds)
		}
		lines = append(lines, append(line, seconds))
	}
	return lines
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

// Markdown is the table as it stands in documents.
func (t *Table) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "**%s**\n\n%s", cmp.Or(t.Title, t.Name), t.Caption)
	if t.Baseline != "" {
		fmt.Fprintf(&b, "; differences are to %s, paired by seed", t.Baseline)
	}
	b.WriteString("\n\n")
	b.WriteString(texttable.Markdown(t.cells()))
	for _, f := range t.Failures {
		fmt.Fprintf(&b, "\n%s\n", f)
	}
	return b.String()
}
