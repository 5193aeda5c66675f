package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"t2sda/datasets"
	"t2sda/export/predict"
	"t2sda/graphs/engine"
)

// prediction is what the command predict is asked for.
type prediction struct {
	model    modelFlags
	out, ids string
	options  predict.FileOptions
}

func predictCommand() *cobra.Command {
	var v prediction
	cmd := &cobra.Command{
		Use:   "predict --model M.onnx --out DIR FILE|DIR…",
		Short: "Write what a model sees in images",
		Long: `Write what a model sees in image files, and in all PNG and JPEG files below
folders, as one PNG per image in the folder --out.
` + fmt.Sprintf(modelHelp, "--labels says; it is needed for them"),
		Args: cobra.MinimumNArgs(1),
		RunE: v.run,
	}
	v.model.add(cmd)
	cmd.Flags().StringVar(&v.out, "out", "", "folder to write to")
	cmd.Flags().StringVar(&v.options.Format, "format", predict.FormatOverlay, strings.Join(predict.Formats(), ", "))
	cmd.Flags().StringVar(&v.ids, "map", "cityscapes", fmt.Sprintf("label map whose ids the format %s writes: one of %v or a YAML file", predict.FormatLabelIDs, datasets.Maps()))
	cmd.Flags().BoolVar(&v.options.KeepGoing, "keep-going", false, "leave out images that cannot be read, and list them")
	_ = cmd.MarkFlagRequired("out") // fails only for flags that do not exist
	return cmd
}

func (v *prediction) run(cmd *cobra.Command, paths []string) error {
	var err error
	if v.options.Format == predict.FormatLabelIDs {
		if v.options.Map, err = datasets.LoadLabelMap(v.ids); err != nil {
			return err
		}
	} else if cmd.Flags().Changed("map") {
		return usageError{fmt.Errorf("--map is for --format %s only", predict.FormatLabelIDs)}
	}
	return v.model.with(datasets.Space{}, func(_ *engine.Engine, p *predict.Predictor) error {
		v.options.Progress = progress(cmd, "predicting")
		written, skipped, err := predict.Files(cmd.Context(), p, paths, v.out, v.options)
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%d pictures in %s\n", len(written), v.out)
		for i, fault := range skipped {
			if i == 0 {
				fmt.Fprintf(cmd.OutOrStdout(), "%d images left out:\n", len(skipped))
			}
			fmt.Fprintf(cmd.OutOrStdout(), "  %v\n", fault)
		}
		return nil
	})
}
