package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"t2sda/internal/plural"
	"t2sda/internal/texttable"
	"t2sda/orchestrator"
)

func verifyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "verify RUN|CHECKPOINT|MODEL …",
		Short: "Read runs, checkpoints and models back, and say what of them is whole",
		Long: `Read runs, checkpoints and exported models back, every byte of them, and say what is
whole: as it was written, by the digests that lie beside or in it. What has none
(models of other programs, checkpoints of old versions) is unknown. The exit code is
0 where nothing is damaged.

A run that is resumed reads its own checkpoint like this, and goes back to the last
one that is whole.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			out, err := openOutputs(cmd, "json")
			if err != nil {
				return err
			}
			all := []orchestrator.Finding{}
			for _, path := range args {
				found, err := orchestrator.Verify(path)
				if err != nil {
					return err
				}
				all = append(all, found...)
			}
			rows := [][]string{{"", "what", "path", ""}}
			damaged := 0
			for _, f := range all {
				rows = append(rows, []string{f.State, f.What, f.Path, f.Detail})
				if f.State == orchestrator.Damaged {
					damaged++
				}
			}
			err = errors.Join(out.writeJSON("json", all), texttable.Write(out.people(), rows[:1], rows[1:]))
			if err == nil && damaged > 0 {
				err = fmt.Errorf("%s damaged", plural.Of(damaged, "of these is", "of these are"))
			}
			return err
		},
	}
	cmd.Flags().String("json", "", "write what was found to this file (- is standard output; what is for people then goes to standard error)")
	return cmd
}
