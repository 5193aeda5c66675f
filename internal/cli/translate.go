package cli

import (
	"strings"

	"github.com/spf13/cobra"

	"t2sda/translate"
)

func translateCommand() *cobra.Command {
	o := translate.DefaultOptions()
	var source, target, out string
	cmd := &cobra.Command{
		Use:   "translate --source S.png --target T.png --out O.png",
		Short: "Give one picture the appearance of another, to look at",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, err := translate.New(o); err != nil {
				return usageError{err}
			}
			return translate.Files(cmd.Context(), o, source, target, out)
		},
	}
	cmd.Flags().StringVar(&source, "source", "", "picture to translate")
	cmd.Flags().StringVar(&target, "target", "", "picture whose appearance it gets (resized to the source's size)")
	cmd.Flags().StringVar(&out, "out", "", "PNG file to write")
	cmd.Flags().StringVar(&o.Engine, "engine", o.Engine, strings.Join(translate.Names(), ", "))
	cmd.Flags().Float64Var(&o.Band, "band", o.Band, "FDA: L, half width of the exchanged window as a share of the shorter side")
	cmd.Flags().StringVar(&o.Box, "box", o.Box, "FDA: window, min or axes")
	cmd.Flags().BoolVar(&o.Asymmetric, "asymmetric", o.Asymmetric, "FDA: the public training code's window")
	cmd.Flags().BoolVar(&o.Clip, "clip", o.Clip, "FDA: clip to 0–255 before rounding")
	cmd.Flags().Uint64Var(&o.Seed, "seed", o.Seed, "seed of jitter and blur")
	for _, name := range []string{"source", "out"} {
		_ = cmd.MarkFlagRequired(name) // fails only for flags that do not exist
	}
	return cmd
}
