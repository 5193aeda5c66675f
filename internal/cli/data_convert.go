package cli

import (
	"fmt"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"t2sda/datasets"
	"t2sda/internal/plural"
)

// conversion is what the command convert is asked for.
type conversion struct {
	tree    treeFlags
	options datasets.ConvertOptions
}

func convertCommand() *cobra.Command {
	var c conversion
	cmd := &cobra.Command{
		Use:   "convert ROOT --out DIR",
		Short: "Write the labels as train ids, for other tools",
		Long: "Write the labels as 8-bit PNG files of train ids (255: void) into the same tree of folders\n" +
			"below another root. Training here needs no conversion: ids are mapped as files are read.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := tryFolder("out", c.options.Out); err != nil {
				return err
			}
			c.tree.options.KeepGoing = c.options.KeepGoing
			splits, err := c.tree.labelled(cmd.Context(), cmd.OutOrStdout(), args[0])
			if err != nil {
				return err
			}
			for _, o := range splits {
				if err := c.split(cmd, o); err != nil {
					return err
				}
			}
			return nil
		},
	}
	c.tree.add(cmd)
	cmd.Flags().StringVar(&c.options.Out, "out", "", "folder to write to")
	cmd.Flags().IntVar(&c.options.Workers, "workers", 0, "goroutines (0: one per core)")
	cmd.Flags().BoolVar(&c.options.KeepGoing, "keep-going", false, "leave out what cannot be converted, and list it")
	_ = cmd.MarkFlagRequired("out") // fails only for flags that do not exist
	return cmd
}

// split converts one split and says what was written.
func (c *conversion) split(cmd *cobra.Command, o datasets.Options) error {
	o.RequireLabels = !c.options.KeepGoing
	d, err := datasets.OpenContext(cmd.Context(), o)
	if err != nil {
		return err
	}
	tellPassedOver(cmd, d)
	began := time.Now()
	c.options.Progress = progressOf(cmd, "converting", "images")
	done, err := d.Convert(cmd.Context(), c.options)
	if err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "%s: %s written below %s, %.0f a second; label map %s\n", o.Place(), plural.Of(done.Written, "label", "labels"), filepath.Clean(c.options.Out),
		float64(done.Written)/time.Since(began).Seconds(), done.Map)
	if len(done.Skipped) > 0 {
		fmt.Fprintf(out, "%d left out:\n", len(done.Skipped))
	}
	for _, line := range done.Skipped {
		fmt.Fprintln(out, "  "+line)
	}
	return nil
}
