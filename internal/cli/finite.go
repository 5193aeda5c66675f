package cli

import (
	"fmt"

	"t2sda/internal/finite"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// finiteFlags refuses numbers of flags that are NaN or infinite, which the flags'
// own reader takes.
func finiteFlags(cmd *cobra.Command) (err error) {
	cmd.Flags().Visit(func(f *pflag.Flag) {
		var numbers []float64
		switch f.Value.Type() {
		case "float64":
			x, _ := cmd.Flags().GetFloat64(f.Name) // of this type
			numbers = []float64{x}
		case "float64Slice":
			numbers, _ = cmd.Flags().GetFloat64Slice(f.Name) // of this type
		}
		for _, x := range numbers {
			if !finite.Is(x) && err == nil {
				err = usageError{fmt.Errorf("--%s %s: want a finite number, have %g", f.Name, f.Value, x)}
			}
		}
	})
	return err
}
