package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"t2sda/export/score"
	"t2sda/graphs/engine"
	"t2sda/internal/texttable"
	"t2sda/orchestrator/analyze"
	"t2sda/orchestrator/features"
)

// analysis is what the command analyze is asked for.
type analysis struct {
	device  engineFlags
	options analyze.Options
}

func analyzeCommand() *cobra.Command {
	var a analysis
	cmd := &cobra.Command{
		Use:   "analyze --run DIR",
		Short: "Compare the features of a run's network in both domains",
		Long: `Compare the features of a run's network in both domains, class by class: how
alike they are beside the IoU, and how well classes are told apart within each
domain (CCD and PDD). A baseline, by default the run's source-only one, is
measured on the same images. Numbers and pictures (principal components, t-SNE) are written to
analysis/ in the run directory.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a.options.Progress = func(what, unit string) func(done, total int) { return progressOf(cmd, what, unit) }
			result, err := a.run(cmd.Context())
			if err != nil {
				return err
			}
			return printAnalysis(cmd.OutOrStdout(), result)
		},
	}
	a.device.add(cmd)
	o := &a.options
	cmd.Flags().StringVar(&o.Dir, "run", "", "run directory")
	cmd.Flags().StringVar(&o.Checkpoint, "checkpoint", "last", "last, best or the name of one of the run's checkpoints")
	cmd.Flags().StringVar(&o.Features, "features", features.Head, "one of "+strings.Join(features.Kinds(), ", ")+": the last layer before the classifier, the encoder's levels, or what the pull acts on")
	cmd.Flags().StringVar(&o.Baseline, "baseline", "", "directory of another run to hold this one against, or "+analyze.NoBaseline+" (default: the run's own source-only baseline, if it has one)")
	cmd.Flags().StringVar(&o.SourceSplit, "source-split", "", "split of the source images, such as val (default: the one that was trained on)")
	cmd.Flags().IntVar(&o.Images, "images", 500, "images of each domain, drawn at random where there are more (0: all)")
	cmd.Flags().IntVar(&o.Samples, "samples", 50, "positions of each class and domain in the pictures")
	cmd.Flags().Float64Var(&o.Perplexity, "perplexity", 0, "effective number of neighbours in t-SNE (0: 30, or a third of the points where those are few)")
	cmd.Flags().Uint64Var(&o.Seed, "seed", 1, "of the draws of images and positions")
	cmd.Flags().StringVar(&o.Out, "out", "", "folder for numbers and pictures (default: analysis/ in the run directory)")
	cmd.Flags().IntVar(&o.Workers, "workers", 0, "goroutines that read images (0: one per core)")
	_ = cmd.MarkFlagRequired("run") // fails only for flags that do not exist
	return cmd
}

func (a *analysis) run(ctx context.Context) (_ *analyze.Result, err error) {
	e, err := engine.Open(a.device.options)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	return analyze.Run(ctx, e, a.options)
}

// The tables of an analysis.
var analysisTables = []struct {
	title   string
	columns []column
}{
	{"similarity of the domains' features, and IoU %", []column{
		{"similarity", func(c analyze.Class) string { return number(c.Similarity) }},
		{"IoU target", func(c analyze.Class) string { return c.Target.IoU.Short() }},
		{"IoU source", func(c analyze.Class) string { return c.Source.IoU.Short() }},
	}},
	{"how well classes are told apart: the lower, the better", []column{
		{"CCD target", func(c analyze.Class) string { return number(c.Target.CCD) }},
		{"CCD source", func(c analyze.Class) string { return number(c.Source.CCD) }},
		{"PDD target", func(c analyze.Class) string { return number(c.Target.PDD) }},
		{"PDD source", func(c analyze.Class) string { return number(c.Source.PDD) }},
	}},
}

// printAnalysis shows what was looked at, two tables, and where everything lies.
func printAnalysis(w io.Writer, r *analyze.Result) error {
	for i, d := range []analyze.Domain{r.Source, r.Target} {
		fmt.Fprintf(w, "%s: %d of %d images of %s, %d×%d pixels\n", []string{"source", "target"}[i], d.Images, d.Of, d.Place, d.Width, d.Height)
	}
	for _, n := range r.Networks {
		fmt.Fprintf(w, "%s: %s of %s, iteration %d, %d %s features\n", n.Method, n.Checkpoint, n.Dir, n.Iteration, n.Depth, r.Features)
	}
	for _, note := range r.Notes {
		fmt.Fprintln(w, note)
	}
	names, between := r.Names(), ""
	if len(names) > 1 {
		between = fmt.Sprintf(" (%s → %s)", names[1], names[0])
	}
	for _, t := range analysisTables {
		fmt.Fprintf(w, "\n%s%s\n", t.title, between)
		rows := analysisRows(r, t.columns)
		if err := texttable.Write(w, rows[:1], rows[1:]); err != nil {
			return err
		}
	}
	fmt.Fprintln(w)
	for i, n := range r.Networks {
		fmt.Fprintf(w, "%s: correlation of similarity and target IoU over the classes %s\n", names[i], number(n.Correlation))
	}
	fmt.Fprintf(w, "analysed in %s\n", time.Duration(r.Seconds*float64(time.Second)).Round(100*time.Millisecond))
	_, err := fmt.Fprintln(w, " ", strings.Join(r.Files, "\n  "))
	return err
}

// column is a measure in a table.
type column struct {
	name string
	of   func(c analyze.Class) string
}

// analysisRows has a row per class and the mean, and a column per measure:
// before → after where there is a baseline.
func analysisRows(r *analyze.Result, columns []column) [][]string {
	head := []string{"class"}
	for _, c := range columns {
		head = append(head, c.name)
	}
	rows := [][]string{head}
	after := r.Networks[0]
	for i, c := range append(after.Classes, after.Mean) {
		row := []string{c.Name}
		for _, column := range columns {
			cell := column.of(c)
			for _, before := range r.Networks[1:] {
				cell = fmt.Sprintf("%s → %4s", column.of(append(before.Classes, before.Mean)[i]), cell)
			}
			row = append(row, cell)
		}
		rows = append(rows, row)
	}
	return rows
}

// number prints a measure to three digits.
func number(n analyze.Number) string {
	if !n.Finite() {
		return score.Score(n).String()
	}
	return strconv.FormatFloat(float64(n), 'f', 3, 64)
}
