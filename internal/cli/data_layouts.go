package cli

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"t2sda/datasets"
)

func layoutsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "layouts [NAME…]",
		Short: "Show the folder layouts that are built in",
		Long: "Show the folder layouts that --dataset (in a configuration layout:) names: where images\n" +
			"and labels lie, how their names end, and an example of each as a tree.",
		RunE: func(cmd *cobra.Command, names []string) error {
			if len(names) == 0 {
				names = datasets.Layouts()
			}
			return printLayouts(cmd.OutOrStdout(), names)
		},
	}
}

func printLayouts(w io.Writer, names []string) error {
	for i, name := range names {
		text, err := datasets.DescribeLayout(name)
		if err != nil {
			return usageError{err}
		}
		if i > 0 {
			fmt.Fprintln(w)
		}
		if _, err := io.WriteString(w, text); err != nil {
			return err
		}
	}
	return nil
}
