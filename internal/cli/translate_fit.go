package cli

import (
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"t2sda/configs"
	"t2sda/datasets"
	"t2sda/internal/atomicfile"
	"t2sda/internal/texttable"
	"t2sda/translate"
	"t2sda/translate/offline"
)

// appearance is what the command fit is asked for.
type appearance struct {
	set     datasets.Options
	size    string
	json    string
	measure translate.MeasureOptions
}

func fitCommand() *cobra.Command {
	a := appearance{measure: translate.MeasureOptions{Images: configs.Default().Translate.Camera.Images}}
	cmd := &cobra.Command{
		Use:   "fit ROOT",
		Short: "Measure how the pictures of a folder look, as engine camera does",
		Long: `Measure how the pictures of a folder or data set look, with no regard to what they
show: tone, colour, sharpness, noise and vignette, by which the engine camera
compares source and target. Labels are not read.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.run(cmd, args[0]) },
	}
	flags := cmd.Flags()
	flags.StringVar(&a.set.Layout, "dataset", "", fmt.Sprintf("ROOT is the root of a data set of this folder layout, one of %v", datasets.Layouts()))
	flags.StringVar(&a.set.Split, "split", "", "split of --dataset (default: all images)")
	flags.StringVar(&a.size, "size", "", "WxH that pictures are brought to, px (default: their own); in training, data.….resize")
	flags.IntVar(&a.measure.Images, "images", a.measure.Images, "pictures that are measured, evenly spaced; 0: all")
	flags.IntVar(&a.measure.Workers, "workers", 0, "goroutines (0: one per core)")
	flags.StringVar(&a.json, "json", "", "file to write all numbers to")
	return cmd
}

func (a *appearance) run(cmd *cobra.Command, root string) (err error) {
	a.set.Root = root
	if a.set.Width, a.set.Height, err = parseSize("size", a.size); err != nil {
		return err
	}
	if a.measure.Images < 0 {
		return usageError{fmt.Errorf("--images: %d is negative", a.measure.Images)}
	}
	set, err := offline.OpenSet(a.set)
	if err != nil {
		return err
	}
	look, err := translate.Measure(cmd.Context(), set.Images(), a.measure)
	if err != nil {
		return fmt.Errorf("%s: %w", root, err)
	}
	if a.json != "" {
		if err := atomicfile.WriteJSON(a.json, look); err != nil {
			return err
		}
	}
	return printAppearance(cmd.OutOrStdout(), look)
}

func printAppearance(w io.Writer, a *translate.Appearance) error {
	fmt.Fprintf(w, "%d pictures measured, %d without content left out; light falls off by %.0f %% in the corners\n\n",
		a.Images, a.Skipped, 100*a.Vignette)
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
