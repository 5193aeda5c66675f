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
	Name     string    `json:"name"`
	Title    string    `json:"title"`
	Caption  string    `json:"caption"`
	Baseline string    `json:"baseline,omitempty"`
	Oracle   string    `json:"oracle,omitempty"`
	Subsets  []string  `json:"subsets,omitempty"` // of classes: scores are means over the first one, see [configs.Sweep]
	Paper    *Citation `json:"paper,omitempty"`
	Seeds    []uint64  `json:"seeds"`
	Rows     []Row     `json:"rows"`
	Failures []string  `json:"failures,omitempty"`
	Runs     []Entry   `json:"runs"` // by configuration; also of what is not in the rows any more
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
	Seconds float64     `json:"seconds"`           // mean per run
	Further []Spread    `json:"further,omitempty"` // means over the table's further subsets
	Paper   *Figures    `json:"paper,omitempty"`
}

// Spread is a mean over seeds, and the sample's deviation.
type Spread struct {
	Mean score.Score `json:"mean"`
	Std  score.Score `json:"std"`
	Runs int         `json:"runs"` // that have one
}

// tabulate makes the table of everything in the store that belongs to the sweep's
// rows, and of the seeds that were asked for.
func (p *Plan) tabulate(s *store) *Table {
	t := &Table{
		Name: p.sweep.Name, Title: p.sweep.Title, Baseline: p.sweep.Baseline, Oracle: p.sweep.Oracle, Subsets: p.sweep.Subsets,
		Caption: p.caption(), Runs: s.runs,
	}
	for _, seed := range s.seeds() {
		if !slices.Contains(p.seeds, seed) && slices.ContainsFunc(p.variants, func(v configs.Variant) bool { return p.find(s, v, seed) != nil }) {
			t.Seeds = append(t.Seeds, seed)
		}
	}
	t.Seeds = append(t.Seeds, p.seeds...)
	slices.Sort(t.Seeds)
	for _, v := range p.variants {
		t.Rows = append(t.Rows, p.row(t, s, v))
	}
	t.hold()
	t.addPaper(p.sweep.Paper)
	return t
}

// row makes the line of a variant, and adds its failures to the table's.
func (p *Plan) row(t *Table, s *store, v configs.Variant) Row {
	row := Row{Name: v.Name}
	further := make([][]score.Score, len(t.furtherSubsets()))
	for _, seed := range t.Seeds {
		e := p.find(s, v, seed)
		known := e != nil
		if !known {
			e = &Entry{MIoU: missing}
		}
		row.Seconds += e.Seconds
		if failure := e.failure(t.Subsets); known && failure != "" {
			t.Failures = append(t.Failures, fmt.Sprintf("row %s seed %d failed: %s", v.Name, seed, failure))
		}
		row.MIoU = append(row.MIoU, e.score(t.Subsets))
		for k, name := range t.furtherSubsets() {
			further[k] = append(further[k], e.over(name))
		}
	}
	var n int
	row.Mean, row.Std, n = orchestrator.MeanStd(row.MIoU)
	row.Seconds /= float64(max(n, 1))
	for _, scores := range further {
		mean, std, n := orchestrator.MeanStd(scores)
		row.Further = append(row.Further, Spread{mean, std, n})
	}
	return row
}

// furtherSubsets are those that the table's means are not over.
func (t *Table) furtherSubsets() []string { return t.Subsets[min(1, len(t.Subsets)):] }

// find returns what the store has of a row and seed.
func (p *Plan) find(s *store, v configs.Variant, seed uint64) *Entry {
	c := v.Config
	c.Seed = seed
	return s.find(c.Hash(), p.threads)
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
	return common + fmt.Sprintf(", threads per run: %d; %s in %%", p.threads, p.scoreName())
}

// scoreName is what the table's means are of.
func (p *Plan) scoreName() string {
	if len(p.sweep.Subsets) > 0 {
		return "target mIoU over " + p.sweep.Subsets[0]
	}
	return "target mIoU"
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
	for _, line := range slices.Concat(t.sources(), t.Failures) {
		fmt.Fprintf(&b, "\n%s\n", line)
	}
	return b.String()
}
