package cli

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"t2sda/configs"
	"t2sda/orchestrator/sweep"
)

func sweepCommand() *cobra.Command {
	var o sweep.Options
	var list, dry bool
	var shard string
	var given wordFlags
	cmd := &cobra.Command{
		Use:   "sweep NAME|FILE [key=value …]",
		Short: "Train a table of settings × seeds, side by side, and tabulate and draw it",
		Long: `Train a table of settings × seeds, side by side, and tabulate and draw it.

The rows are those of a built-in sweep (see --list) or of a YAML file; key=value
arguments hold for every row. Runs of equal configurations are trained once, and
those that are complete, or stand in the table's JSON file, are not repeated; an
interrupted sweep continues. A run that fails is a hole in the table.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if list {
				return listSweeps(cmd.OutOrStdout())
			}
			if len(args) == 0 {
				return usageError{errors.New("name a sweep (t2sda sweep --list) or a YAML file")}
			}
			s, err := configs.LoadSweep(args[0])
			if err != nil {
				return usageError{err}
			}
			if o.Settings, err = given.settings(args[1:]); err != nil {
				return err
			}
			if o.Shard, err = sweep.ParseShard(shard); err != nil {
				return usageError{fmt.Errorf("--shard: %w", err)}
			}
			p, err := sweep.New(s, o)
			if err != nil {
				return usageError{err}
			}
			if dry {
				return p.Print(cmd.OutOrStdout())
			}
			_, err = p.Run(cmd.Context(), options(cmd))
			return err
		},
	}
	cmd.Flags().BoolVar(&list, "list", false, "list the built-in sweeps")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "print the runs, which of them are there, and how long the others will take")
	cmd.Flags().UintSliceVar(&o.Seeds, "seeds", nil, "seeds of each row (default: the sweep's)")
	cmd.Flags().StringArrayVar(&o.Rows, "rows", nil, "rows to train, between commas; may be given several times (default: all)")
	cmd.Flags().StringVar(&o.Out, "out", "", "folder of the table's files (default: sweeps in the configuration's output)")
	cmd.Flags().StringVar(&shard, "shard", "", "train the i-th of n parts of the runs, `i/n`, and make no table: for several machines that share the output; the sweep without it makes the table afterwards")
	addJobs(cmd, &o.Jobs)
	given.add(cmd, "seed", "out") // see --seeds, --out
	return cmd
}

// listSweeps prints the built-in sweeps.
func listSweeps(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, name := range configs.Sweeps() {
		s, err := configs.LoadSweep(name)
		if err != nil {
			return err
		}
		fmt.Fprintf(tw, "%s\t%d rows × %d seeds\t%s\n", name, s.Len(), len(s.Seeds), s.Title)
	}
	return tw.Flush()
}
