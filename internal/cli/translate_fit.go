package cli

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"t2sda/internal/plural"
	"t2sda/internal/texttable"
	"t2sda/translate"
)

// fit measures how the pictures of a folder or data set look, as the engine camera
// does, and prints it.
func (t *translation) fit(cmd *cobra.Command) error {
	if err := unreadByFit(cmd); err != nil {
		return err
	}
	t.source.options.Root = t.look
	out, err := openOutputs(cmd, "json")
	if err != nil {
		return err
	}
	set, err := t.source.open(cmd.ErrOrStderr(), "source", "size")
	if err != nil {
		return err
	}
	look, err := translate.Measure(cmd.Context(), set.Images(), translate.MeasureOptions{Images: t.measure, Workers: t.run.Workers})
	if err != nil {
		return fmt.Errorf("%s: %w", t.look, err)
	}
	if err := out.writeJSON("json", look); err != nil {
		return err
	}
	return printAppearance(out.people(), look)
}

// unreadByFit returns an error for a flag that says how pictures are translated.
func unreadByFit(cmd *cobra.Command) error {
	for _, name := range append(slices.Sorted(maps.Keys(shaping)), "resume", "overwrite") {
		reads := strings.HasPrefix(name, "source-") || name == "size" || name == "images"
		if !reads && cmd.Flags().Changed(name) {
			return usageError{fmt.Errorf("--%s is for translating, and --fit measures only", name)}
		}
	}
	return nil
}

func printAppearance(w io.Writer, a *translate.Appearance) error {
	fmt.Fprintf(w, "%s measured, %d without content left out; light falls off by %.0f %% in the corners\n\n",
		plural.Of(a.Images, "picture", "pictures"), a.Skipped, 100*a.Vignette)
	rows := [][]string{{"share of pixels darker, %"}, {"luma"}}
	for _, percent := range []float64{1, 5, 10, 25, 50, 75, 90, 95, 99} {
		rows[0] = append(rows[0], strconv.FormatFloat(percent, 'f', -1, 64))
		rows[1] = append(rows[1], fmt.Sprintf("%.0f", a.Quantile(percent/100)))
	}
	if err := texttable.Write(w, rows[:1], rows[1:]); err != nil {
		return err
	}
	fmt.Fprintln(w, "\ncolour and noise (standard deviations, grey levels; fine | twice as coarse)")
	rows = [][]string{{"luma", "pixels %", "B−Y", "R−Y", "noise of Y", "of B−Y", "of R−Y"}}
	for _, b := range a.Bands() {
		row := []string{fmt.Sprintf("%d–%d", b.From, b.To), fmt.Sprintf("%.1f", 100*b.Share)}
		for c := range b.Chroma {
			row = append(row, fmt.Sprintf("%.1f ± %.1f", b.Chroma[c].Mean, b.Chroma[c].Deviation))
		}
		for _, n := range b.Noise {
			row = append(row, fmt.Sprintf("%.2f | %.2f", n.Fine, n.Coarse))
		}
		rows = append(rows, row)
	}
	if err := texttable.Write(w, rows[:1], rows[1:]); err != nil {
		return err
	}
	fmt.Fprintln(w, "\nsharpness (power over frequency, grey levels², noise included)")
	rows = [][]string{{"cycles per pixel"}, {"of luma"}, {"of colour"}}
	for k := 1; k < len(a.Spectrum[0]); k += 2 {
		rows[0] = append(rows[0], fmt.Sprintf("%.3f", float64(k+1)/float64(2*len(a.Spectrum[0]))))
		for part := range a.Spectrum {
			rows[1+part] = append(rows[1+part], fmt.Sprintf("%.1f", a.Spectrum[part][k]))
		}
	}
	return texttable.Write(w, rows[:1], rows[1:])
}
