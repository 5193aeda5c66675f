package score

import (
	"fmt"
	"io"
	"math"

	"t2sda/internal/texttable"
)

// Table prints the scores in per cent, one class a line, then categories and
// means, aligned for a terminal. With a baseline there are columns before, after
// and Δ (percentage points) instead, without categories; classes are matched by
// name, and "–" stands where one has no score.
func (r *Result) Table(w io.Writer, baseline *Result) error {
	sections := r.sections()
	if baseline != nil {
		sections = r.comparison(baseline)
	}
	if r.Dataset != "" {
		if _, err := fmt.Fprintf(w, "%s\n\n", r.Dataset); err != nil {
			return err
		}
	}
	if err := texttable.Write(w, sections...); err != nil {
		return err
	}
	_, err := fmt.Fprintln(w, r.Summary())
	return err
}

// sections returns head, classes, categories if there are any, and means.
func (r *Result) sections() [][][]string {
	total := r.Confusion.Pixels()
	lines := func(results []ClassResult) (rows [][]string) {
		for _, c := range results {
			rows = append(rows, []string{c.Name, c.IoU.String(), c.Recall.String(), Score(Ratio(c.Truth, total)).String()})
		}
		return rows
	}
	out := [][][]string{{{"class", "IoU %", "recall %", "pixels %"}}, lines(r.Classes)}
	means := [][]string{{"mean IoU", r.MIoU.String(), "", ""}}
	for _, s := range r.Subsets {
		means = append(means, []string{"mean IoU, " + s.Name, s.MIoU.String(), "", ""})
	}
	if len(r.Categories) > 0 {
		out = append(out, lines(r.Categories))
		means = append(means, []string{"mean category IoU", r.MeanCategory.String(), "", ""})
	}
	return append(out, append(means,
		[]string{"mean accuracy", "", r.MeanAccuracy.String(), ""},
		[]string{"pixel accuracy", "", r.PixelAccuracy.String(), ""}))
}

// comparison returns head, classes and means beside those of a baseline.
func (r *Result) comparison(baseline *Result) [][][]string {
	line := func(name string, before, after Score) []string {
		return []string{name, before.String(), after.String(), Delta(before, after)}
	}
	var classes [][]string
	for _, c := range r.Classes {
		before := Score(math.NaN())
		if b, ok := baseline.Class(c.Name); ok {
			before = b.IoU
		}
		classes = append(classes, line(c.Name, before, c.IoU))
	}
	return [][][]string{{{"IoU % of class", "before", "after", "Δ"}}, classes, {
		line("mean IoU", baseline.MIoU, r.MIoU),
		line("mean accuracy", baseline.MeanAccuracy, r.MeanAccuracy),
		line("pixel accuracy", baseline.PixelAccuracy, r.PixelAccuracy),
	}}
}
