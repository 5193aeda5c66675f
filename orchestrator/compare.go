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
	"text/tabwriter"

	"gonum.org/v1/gonum/stat"

	"t2sda/configs"
	"t2sda/internal/atomicfile"
)

// CompareOptions say what [Compare] trains.
type CompareOptions struct {
	Methods []string
	Seeds   []uint
}

// Comparison is a table of methods × seeds.
type Comparison struct {
	Name       string      `json:"name"`
	Iterations int         `json:"iterations"` // of every run
	Seeds      []uint      `json:"seeds"`
	Rows       []MethodRow `json:"rows"`
}

// MethodRow is one method over all seeds.
type MethodRow struct {
	Method string    `json:"method"`
	MIoU   []float64 `json:"miou"` // per seed, 0 to 1
	Mean   float64   `json:"mean"`
	Std    float64   `json:"std"` // of the sample, n − 1; 0 for one seed
	// Gap is the share of the gap between source-only and target-only that the
	// method's mean recovers, nil unless both were trained.
	Gap     *float64             `json:"gap_recovered,omitempty"`
	IoU     map[string][]float64 `json:"iou"`     // per class and seed; −1 where the class never occurs
	Seconds float64              `json:"seconds"` // mean per run
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
// iterations, in output/name-compare, and prints and writes the table
// (compare.json, compare.md). Runs that are complete are read back; others
// continue from their last checkpoint.
func Compare(ctx context.Context, cfg configs.Config, c CompareOptions, o Options) (*Comparison, error) {
	if err := c.validate(cfg); err != nil {
		return nil, err
	}
	if err := renderStreets(ctx, cfg, o); err != nil {
		return nil, err
	}
	e, err := openEngine(cfg)
	if err != nil {
		return nil, err
	}
	defer e.Close() // its sessions are closed by then; nothing is left to fail
	dir := filepath.Join(cfg.Output, cfg.Name+"-compare")
	lock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	defer lock.Close() // the lock goes with it
	table := &Comparison{Name: cfg.Name, Iterations: cfg.Train.Iterations, Seeds: c.Seeds}
	for _, method := range c.Methods {
		table.Rows = append(table.Rows, MethodRow{Method: method, IoU: map[string][]float64{}})
	}
	// Seed by seed, so that what an interrupted comparison holds is comparable.
	for _, seed := range c.Seeds {
		for i := range table.Rows {
			run := withMethod(cfg, table.Rows[i].Method)
			run.Seed = uint64(seed)
			out, err := runOne(ctx, run, filepath.Join(dir, fmt.Sprintf("%s-seed%d", run.Method, seed)), nil, e, o)
			if err != nil {
				if errors.Is(err, context.Canceled) {
					err = fmt.Errorf("%w; saved, the same command continues", err)
				}
				return nil, fmt.Errorf("%s, seed %d: %w", run.Method, seed, err)
			}
			table.Rows[i].add(out)
		}
	}
	table.finish()
	return table, errors.Join(table.write(dir), table.print(o.Out))
}

func (c CompareOptions) validate(cfg configs.Config) error {
	if len(c.Methods) == 0 || len(c.Seeds) == 0 {
		return errors.New("compare: want at least one method and one seed")
	}
	for i, s := range c.Seeds {
		if slices.Contains(c.Seeds[:i], s) {
			return fmt.Errorf("compare: seed %d is there twice", s)
		}
	}
	for i, m := range c.Methods {
		if slices.Contains(c.Methods[:i], m) {
			return fmt.Errorf("compare: method %s is there twice", m)
		}
		run := withMethod(cfg, m)
		if err := run.Validate(); err != nil {
			return fmt.Errorf("compare: method %s: %w", m, err)
		}
	}
	return nil
}

func (r *MethodRow) add(out *Outcome) {
	r.MIoU = append(r.MIoU, float64(out.Result.MIoU))
	r.Seconds += out.Seconds
	for _, c := range out.Result.Classes {
		iou := float64(c.IoU)
		if math.IsNaN(iou) {
			iou = -1
		}
		r.IoU[c.Name] = append(r.IoU[c.Name], iou)
	}
}

// finish computes means, deviations and recovered gaps.
func (c *Comparison) finish() {
	row := map[string]*MethodRow{}
	for i := range c.Rows {
		r := &c.Rows[i]
		r.Seconds /= float64(len(r.MIoU))
		r.Mean = stat.Mean(r.MIoU, nil)
		if len(r.MIoU) > 1 {
			r.Std = stat.StdDev(r.MIoU, nil)
		}
		row[r.Method] = r
	}
	below, above := row[configs.SourceOnly], row[configs.TargetOnly]
	if below == nil || above == nil || above.Mean == below.Mean {
		return
	}
	for i := range c.Rows {
		gap := (c.Rows[i].Mean - below.Mean) / (above.Mean - below.Mean)
		c.Rows[i].Gap = &gap
	}
}

func (c *Comparison) write(dir string) error {
	return errors.Join(
		atomicfile.WriteJSON(filepath.Join(dir, "compare.json"), c),
		atomicfile.Write(filepath.Join(dir, "compare.md"), []byte(c.Markdown())))
}

func (c *Comparison) print(w io.Writer) error {
	fmt.Fprintf(w, "\n%s, %d iterations each, target mIoU in %%\n", c.Name, c.Iterations)
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, line := range c.cells() {
		fmt.Fprintln(tw, strings.Join(line, "\t"))
	}
	return tw.Flush()
}

// Markdown is the table as it stands in documents.
func (c *Comparison) Markdown() string {
	var b strings.Builder
	for i, line := range c.cells() {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(line, " | "))
		if i == 0 {
			b.WriteString(strings.Repeat("|---", len(line)) + "|\n")
		}
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
			line = append(line, fmt.Sprintf("%.1f", 100*m))
		}
		gap := "–"
		if r.Gap != nil {
			gap = fmt.Sprintf("%.0f %%", 100**r.Gap)
		}
		lines = append(lines, append(line, fmt.Sprintf("%.1f ± %.1f", 100*r.Mean, 100*r.Std), gap, fmt.Sprintf("%.0f", r.Seconds)))
	}
	return lines
}
