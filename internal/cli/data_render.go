package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"t2sda/datasets/streets"
	"t2sda/internal/plural"
)

func renderCommand() *cobra.Command {
	var o streets.WriteOptions
	var domain, out string
	cmd := &cobra.Command{
		Use:   "render --out DIR",
		Short: "Render the procedural street world as a Cityscapes tree",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Domain = streets.Domain(domain)
			if !o.Domain.Valid() {
				return usageError{fmt.Errorf("domain: want %s or %s, have %q", streets.Game, streets.Camera, domain)}
			}
			if err := tryFolder("out", out); err != nil {
				return err
			}
			o.Progress = progressOf(cmd, "rendering", "images")
			if err := streets.Write(cmd.Context(), out, o); err != nil {
				return err
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "%d training and %s of domain %s in %s\n", o.Train, plural.Of(o.Val, "validation image", "validation images"), domain, out)
			return err
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "folder to write")
	cmd.Flags().StringVar(&domain, "domain", string(streets.Camera), "game or camera")
	cmd.Flags().Uint64Var(&o.Seed, "seed", 1, "seed of the world")
	cmd.Flags().IntVar(&o.Train, "train", 400, "images of the training split")
	cmd.Flags().IntVar(&o.Val, "val", 100, "images of the validation split")
	cmd.Flags().IntVar(&o.W, "width", 256, "px")
	cmd.Flags().IntVar(&o.H, "height", 128, "px")
	cmd.Flags().IntVar(&o.Workers, "workers", 0, "goroutines (0: one per core)")
	_ = cmd.MarkFlagRequired("out") // fails only for flags that do not exist
	return cmd
}
