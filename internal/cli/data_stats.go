package cli

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"t2sda/datasets"
	"t2sda/internal/plural"
	"t2sda/internal/texttable"
)

// statistics is what the command stats is asked for.
type statistics struct {
	tree    treeFlags
	cache   string
	workers int
	rcs     datasets.RCSOptions
	warn    func(error) // the first time only
}

func statsCommand() *cobra.Command {
	s := statistics{rcs: datasets.DefaultRCS(nil)}
	cmd := &cobra.Command{
		Use:   "stats ROOT",
		Short: "Count the pixels of each class, for rare class sampling",
		Long: "Count the pixels of each class in every label file, as training does before its first\n" +
			"iteration, and keep the counts until a label file or the label map changes.",
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.run(cmd, args[0])
		},
	}
	s.tree.add(cmd)
	cmd.Flags().StringVar(&s.cache, "cache", "", "folder to keep the counts in (default: the user's cache, where training looks; data.stats_cache of a configuration)")
	cmd.Flags().IntVar(&s.workers, "workers", 0, "goroutines that read labels (0: one per core)")
	cmd.Flags().Float64Var(&s.rcs.Temperature, "temperature", s.rcs.Temperature, "temperature of rare class sampling")
	cmd.Flags().IntVar(&s.rcs.MinPixels, "min-pixels", s.rcs.MinPixels, "least number of a class's pixels, at 2048×1024, for an image to be drawn for it")
	return cmd
}

func (s *statistics) run(cmd *cobra.Command, root string) error {
	if !(s.rcs.Temperature > 0) || math.IsInf(s.rcs.Temperature, 0) {
		return usageError{fmt.Errorf("--temperature: %v is not positive", s.rcs.Temperature)}
	}
	if s.rcs.MinPixels < 0 {
		return usageError{fmt.Errorf("--min-pixels: %d is negative", s.rcs.MinPixels)}
	}
	if s.cache != "" {
		if err := tryFolder("cache", s.cache); err != nil {
			return err
		}
	}
	s.warn = once(warnings(cmd))
	splits, err := s.tree.labelled(cmd.Context(), cmd.OutOrStdout(), root)
	if err != nil {
		return err
	}
	if s.cache == "" {
		if s.cache, err = datasets.StatsCache(); err != nil {
			s.warn(err)
		}
	}
	for i, o := range splits {
		if i > 0 {
			fmt.Fprintln(cmd.OutOrStdout())
		}
		if err := s.split(cmd, o); err != nil {
			return err
		}
	}
	return nil
}

// split counts one split and prints its table.
func (s *statistics) split(cmd *cobra.Command, o datasets.Options) error {
	o.RequireLabels = true
	d, err := datasets.OpenContext(cmd.Context(), o)
	if err != nil {
		return err
	}
	tellPassedOver(cmd, d)
	began, counted := time.Now(), 0
	count := func(done, _ int) { counted = done }
	stats, err := d.Stats(cmd.Context(), s.workers, s.cache, count, progressOf(cmd, "counting", "images"))
	if err != nil && cmd.Context().Err() != nil {
		return err
	}
	if err != nil {
		return fmt.Errorf("%w (t2sda data check lists everything that is wrong)", err)
	}
	how := "known from " + s.cache
	if counted > 0 {
		seconds := time.Since(began).Seconds()
		how = fmt.Sprintf("counted in %.1f s, %.0f images/s", seconds, float64(counted)/seconds)
		if s.cache != "" && stats.Unkept == nil {
			how += ", kept in " + s.cache
		}
	}
	if stats.Unkept != nil {
		s.warn(stats.Unkept)
	}
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "%s, label map %s: %s, %s\n\n", o.Place(), d.Map().Name(), plural.Of(d.Len(), "label", "labels"), how)
	return s.print(out, stats)
}

// print shows the classes and what rare class sampling makes of them.
func (s *statistics) print(w io.Writer, stats *datasets.Stats) error {
	o := s.rcs
	o.Stats = stats
	rcs, rcsErr := datasets.NewRCS(o) // fails for labels of nothing but void, which have counts all the same
	total := int64(0)
	for _, n := range stats.Pixels {
		total += n
	}
	rows := [][]string{{"class", labelledShare, "images", "drawn from", "RCS %"}}
	for c, name := range stats.Classes {
		images, files, probability := 0, "–", "–"
		for _, f := range stats.Files {
			if f.Pixels[c] > 0 {
				images++
			}
		}
		if rcsErr == nil {
			files, probability = strconv.Itoa(len(rcs.Files[c])), fmt.Sprintf("%.2f", 100*rcs.Probability[c])
		}
		rows = append(rows, []string{name, percent(stats.Pixels[c], total), strconv.Itoa(images), files, probability})
	}
	if err := texttable.Write(w, rows[:1], rows[1:]); err != nil {
		return err
	}
	printVoid(w, stats.Void, total+stats.Void)
	if rcsErr != nil {
		_, err := fmt.Fprintln(w, rcsErr)
		return err
	}
	for _, warning := range rcs.Warnings {
		fmt.Fprintln(w, warning)
	}
	return nil
}
