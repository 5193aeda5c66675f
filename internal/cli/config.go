package cli

import (
	"github.com/spf13/cobra"
)

func configCommand() *cobra.Command {
	var flags configFlags
	cmd := &cobra.Command{
		Use:   "config [key=value …]",
		Short: "Print the complete configuration that a run would have",
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := flags.load(args)
			if err != nil {
				return err
			}
			text, err := cfg.YAML()
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(text)
			return err
		},
	}
	flags.add(cmd)
	return cmd
}
