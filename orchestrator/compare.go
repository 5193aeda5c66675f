package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"gonum.org/v1/gonum/stat"

	"t2sda/configs"
	"t2sda/export/score"
	"t2sda/internal/atomicfile"
	"t2sda/internal/plural"
	"t2sda/internal/texttable"
)

// The files of a comparison.
const (
	compareJSON     = "compare.json"
	compareMarkdown = "compare.md"
)

// CompareOptions say what [Compare] trains.
type CompareOptions struct {
	Methods []string
	Seeds   []uint
	Jobs    int // runs at a time, see [Seats]
}

// Comparison is a table of methods × seeds.
type Comparison struct {
	Name       string      `json:"name"`
	Iterations int         `json:"iterations"` // of every run
	Threads    int         `json:"threads"`    // of every run
	Seeds      []uint      `json:"seeds"`
	Rows       []MethodRow `json:"rows"`
	Failures   []string    `json:"failures,omitempty"` // why runs have no score
}

// MethodRow is one method over all seeds. Means and deviations are over the runs
// that did not fail, NaN where all did.
type MethodRow struct {
	Method string        `json:"method"`
	MIoU   []score.Score `json:"miou"` // per seed; NaN for a run that failed
	Mean   score.Score   `json:"mean"`
	Std    score.Score   `json:"std"` // of the sample, n − 1; 0 for one seed
	// Gap is the share of the gap between source-only and target-only that the
	// method's mean recovers, nil unless both were trained.
	Gap     *float64                 `json:"gap_recovered,omitempty"`
	IoU     map[string][]score.Score `json:"iou"`     // per class and run that did not fail; NaN where the class never occurs
	Seconds float64                  `json:"seconds"` // mean per run
}

// DefaultCompareMethods are the methods of the paper's main tables, and
// translation without the pull: no claim for the pull stands without it.
func DefaultCompareMethods() []string {
	return []string{
		configs.SourceOnly, configs.Translated, configs.SelfTraining, configs.SelfTrainingTranslated,
		configs.T2SMSE, configs.T2S, configs.TargetOnly,
	}
}

// Compare trains every method with every seed on cfg, each for cfg's number of
// iterations, in output/name-compare, see [TrainAll], and prints and writes the
// table (compare.json, compare.md). Runs that fail are holes in it, and an error
// at the end.
func Compare(ctx context.Context, cfg configs.Config, c CompareOptions, o Options) (*Comparison, error) {
	methods, err := c.methods(cfg)
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(cfg.Output, cfg.Name+"-compare")
	lock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	defer lock.Close() // the lock goes with it
	tidyUp(o.Log, dir)
	for _, name := range []string{compareJSON, compareMarkdown} {
		if err := atomicfile.Try(filepath.Join(dir, name)); err != nil {
			return nil, err
		}
	}
	atATime, threads := Seats(c.Jobs, cfg.Runtime.Threads)
	cfg.Runtime.Threads = threads
	for i := range methods {
		methods[i].Runtime.Threads = threads
	}
	jobs := c.jobs(methods, dir)
	results, stopped := TrainAll(ctx, jobs, atATime, func(results []JobResult) error {
		return c.tabulate(cfg, jobs, results).write(o.Disk, dir)
	}, o)
	if stopped != nil && complete(results) == 0 {
		return nil, stopped
	}
	table := c.tabulate(cfg, jobs, results)
	return table, errors.Join(stopped, table.write(o.Disk, dir), table.print(o.Out), failures(jobs, results))
}

// tabulate makes the table of what the jobs have reached.
func (c CompareOptions) tabulate(cfg configs.Config, jobs []Job, results []JobResult) *Comparison {
	table := &Comparison{Name: cfg.Name, Iterations: cfg.Train.Iterations, Threads: cfg.Runtime.Threads, Seeds: c.Seeds}
	for _, method := range c.Methods {
		row := MethodRow{Method: method, IoU: map[string][]score.Score{}}
		for i, j := range jobs {
			if j.Row == method {
				row.add(results[i].Outcome)
			}
		}
		table.Rows = append(table.Rows, row)
	}
	if failed := failures(jobs, results); failed != nil {
		table.Failures = strings.Split(failed.Error(), "\n")
	}
	table.finish()
	return table
}

// jobs lists the comparison's runs, seed by seed, so that what an interrupted
// one holds is comparable.
func (c CompareOptions) jobs(methods []configs.Config, dir string) []Job {
	var jobs []Job
	for _, seed := range c.Seeds {
		for _, run := range methods {
			row := string(run.Method)
			run.Seed, run.Output, run.Name = uint64(seed), dir, fmt.Sprintf("%s-seed%d", row, seed)
			jobs = append(jobs, Job{row, run})
		}
	}
	return jobs
}

// methods returns the configuration of each method, and what is wrong with the options.
func (c CompareOptions) methods(cfg configs.Config) ([]configs.Config, error) {
	if len(c.Methods) == 0 || len(c.Seeds) == 0 {
		return nil, errors.New("compare: want at least one method and one seed")
	}
	if c.Jobs < 0 {
		return nil, fmt.Errorf("compare: want at least 1 job, or 0 for what the cores carry, have %d", c.Jobs)
	}
	for i, s := range c.Seeds {
		if slices.Contains(c.Seeds[:i], s) {
			return nil, fmt.Errorf("compare: seed %d is there twice", s)
		}
	}
	var all []configs.Config
	for i, m := range c.Methods {
		if slices.Contains(c.Methods[:i], m) {
			return nil, fmt.Errorf("compare: method %s is there twice", m)
		}
		run, err := cfg.WithMethod(configs.Method(m))
		if err != nil {
			return nil, fmt.Errorf("compare: method %s: %w", m, err)
		}
		all = append(all, run)
	}
	return all, nil
}

// add appends a run, nil for one that failed.
func (r *MethodRow) add(out *Outcome) {
	if out == nil {
		r.MIoU = append(r.MIoU, score.Score(math.NaN()))
		return
	}
	r.MIoU = append(r.MIoU, out.Result.MIoU)
	r.Seconds += out.Seconds
	for _, c := range out.Result.Classes {
		r.IoU[c.Name] = append(r.IoU[c.Name], c.IoU)
	}
}

// MeanStd returns mean and deviation (n − 1; 0 for a single one) of the scores
// that are there, and their number. Of none, both are NaN.
func MeanStd(scores []score.Score) (mean, std score.Score, n int) {
	var have []float64
	for _, s := range scores {
		if v := float64(s); !math.IsNaN(v) {
			have = append(have, v)
		}
	}
	mean = score.Score(stat.Mean(have, nil))
	switch len(have) {
	case 0:
		std = mean
	case 1:
		std = 0
	default:
		std = score.Score(stat.StdDev(have, nil))
	}
	return mean, std, len(have)
}

// finish computes means, deviations and recovered gaps.
func (c *Comparison) finish() {
	row := map[string]*MethodRow{}
	for i := range c.Rows {
		r := &c.Rows[i]
		var n int
		r.Mean, r.Std, n = MeanStd(r.MIoU)
		r.Seconds /= float64(max(n, 1))
		row[r.Method] = r
	}
	below, above := row[configs.SourceOnly], row[configs.TargetOnly]
	if below == nil || above == nil || above.Mean == below.Mean {
		return
	}
	for i := range c.Rows {
		if gap := float64((c.Rows[i].Mean - below.Mean) / (above.Mean - below.Mean)); !math.IsNaN(gap) {
			c.Rows[i].Gap = &gap
		}
	}
}

func (c *Comparison) write(disk atomicfile.Disk, dir string) error {
	return errors.Join(
		disk.WriteJSON(filepath.Join(dir, compareJSON), c),
		disk.Write(filepath.Join(dir, compareMarkdown), []byte(c.Markdown())))
}

func (c *Comparison) print(w io.Writer) error {
	fmt.Fprintf(w, "\n%s, %s each, threads per run: %d; target mIoU in %%\n", c.Name, plural.Of(c.Iterations, "iteration", "iterations"), c.Threads)
	rows := c.cells()
	err := texttable.Write(w, rows[:1], rows[1:])
	for _, f := range c.Failures {
		fmt.Fprintln(w, f)
	}
	return err
}

// Markdown is the table as it stands in documents.
func (c *Comparison) Markdown() string {
	var b strings.Builder
	b.WriteString(texttable.Markdown(c.cells()))
	for _, f := range c.Failures {
		fmt.Fprintf(&b, "\n%s\n", f)
	}
	return b.String()
}

func (c *Comparison) cells() [][]string {
	head := []string{"method"}
	for _, s := range c.Seeds {
		head = append(head, fmt.Sprintf("seed %d", s))
	}
	lines := [][]string{append(head, "mean ± std", "gap recovered", "s/run")}
	for _, r := range c.Rows {
		line := []string{r.Method}
		for _, m := range r.MIoU {
			line = append(line, m.Short())
		}
		gap := "–"
		if r.Gap != nil {
			gap = fmt.Sprintf("%.0f %%", 100**r.Gap)
		}
		lines = append(lines, append(line, r.Mean.Short()+" ± "+r.Std.Short(), gap, fmt.Sprintf("%.0f", r.Seconds)))
	}
	return lines
}
