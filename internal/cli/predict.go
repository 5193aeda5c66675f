package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"t2sda/datasets"
	"t2sda/export/predict"
	"t2sda/graphs/engine"
	"t2sda/internal/plural"
)

// prediction is what the command predict is asked for.
type prediction struct {
	model    modelFlags
	out, ids string
	data     datasets.Options // where paths are not just files and folders
	options  predict.FileOptions
}

func predictCommand() *cobra.Command {
	var v prediction
	cmd := &cobra.Command{
		Use:   "predict --model M.onnx --out DIR FILE|DIR|PATTERN|-…",
		Short: "Write what a model sees in images",
		Long: `Write what a model sees in image files, and in all images below folders, as one PNG
per image in the folder --out. Patterns are quoted ('shots/*_night*'), and - reads names
from standard input. With --dataset the one argument is the root of a data set, of which
the images are predicted, not the labels.
` + fmt.Sprintf(modelHelp, "--labels says; it is needed for them"),
		Args: cobra.MinimumNArgs(1),
		RunE: v.run,
	}
	v.model.add(cmd)
	cmd.Flags().StringVar(&v.out, "out", "", "folder to write to")
	cmd.Flags().StringVar(&v.options.Format, "format", predict.FormatOverlay, strings.Join(predict.Formats(), ", ")+" (the ids of --map)")
	cmd.Flags().StringVar(&v.ids, "map", "cityscapes", fmt.Sprintf("label map whose ids the format %s writes: one of %v or a YAML file", predict.FormatLabelIDs, datasets.Maps()))
	cmd.Flags().BoolVar(&v.options.KeepGoing, "keep-going", false, "leave out images that cannot be read, and list them")
	cmd.Flags().StringVar(&v.data.Layout, "dataset", "", fmt.Sprintf("the argument is the root of a data set of this folder layout, one of %v", datasets.Layouts()))
	cmd.Flags().StringVar(&v.data.Split, "split", "", "split of --dataset (default: all images)")
	cmd.Flags().StringVar(&v.data.Images, "images", "", "image folder of --dataset in place of the layout's")
	suffixFlags(cmd, &v.data, "")
	cmd.Flags().StringVar(&v.data.List, "list", "", "text file that names the images of --dataset to use")
	cmd.Flags().StringSliceVar(&v.options.Include, "include", nil, "glob patterns of files below folders to use")
	cmd.Flags().StringSliceVar(&v.options.Exclude, "exclude", nil, "glob patterns of files below folders to leave out")
	_ = cmd.MarkFlagRequired("out") // fails only for flags that do not exist
	return cmd
}

func (v *prediction) run(cmd *cobra.Command, paths []string) (err error) {
	if err := tryFolder("out", v.out); err != nil {
		return err
	}
	if v.options.Format == predict.FormatLabelIDs {
		if v.options.Map, err = datasets.LoadLabelMap(v.ids); err != nil {
			return err
		}
	} else if cmd.Flags().Changed("map") {
		return usageError{fmt.Errorf("--map is for --format %s only", predict.FormatLabelIDs)}
	}
	if err := v.open(cmd, paths); err != nil {
		return err
	}
	return v.model.with(cmd, datasets.Space{}, func(_ *engine.Engine, p *predict.Predictor) error {
		if m := v.options.Map; m != nil && !m.Space().Equal(p.Space()) {
			return fmt.Errorf("format %s: label map %s has other classes than the model (%q): name the one whose ids are wanted (--map)", predict.FormatLabelIDs, m.Name(), p.Space().Name)
		}
		v.options.Progress = progressOf(cmd, "predicting", "images")
		v.options.Passed = func(files []string) { v.tellPassed(cmd, paths, files) }
		written, skipped, err := predict.Files(cmd.Context(), p, paths, v.out, v.options)
		if err != nil {
			return err
		}
		text := fmt.Sprintf("%s in %s\n", plural.Of(len(written), "picture", "pictures"), v.out)
		if len(skipped) > 0 {
			text += plural.Of(len(skipped), "image", "images") + " left out:\n"
		}
		for _, fault := range skipped {
			text += fmt.Sprintf("  %v\n", fault)
		}
		_, err = io.WriteString(cmd.OutOrStdout(), text)
		return err
	})
}

// open opens the data set that paths name, if there is one, and gives - a meaning.
func (v *prediction) open(cmd *cobra.Command, paths []string) (err error) {
	v.options.Names = cmd.InOrStdin()
	if v.data.Layout == "" {
		for _, name := range []string{"split", "images", "image-suffix", "label-suffix", "list"} {
			if cmd.Flags().Changed(name) {
				return usageError{fmt.Errorf("--%s is for --dataset", name)}
			}
		}
		return nil
	}
	if len(paths) != 1 {
		return usageError{fmt.Errorf("--dataset: want one argument, the data set's root, have %d", len(paths))}
	}
	v.data.Root, v.data.Include, v.data.Exclude = paths[0], v.options.Include, v.options.Exclude
	if v.data.LabelSuffix != "" {
		v.data.Labels = v.data.Images // labels that lie elsewhere are no images anyway
	}
	v.options.Dataset, err = datasets.Open(v.data)
	return err
}

// tellPassed tells of files that are not predicted, and of data sets whose labels
// may be.
func (v *prediction) tellPassed(cmd *cobra.Command, paths, files []string) {
	out := cmd.ErrOrStderr()
	if text := datasets.Passed(files); text != "" {
		fmt.Fprintln(out, text)
	}
	if v.options.Dataset != nil {
		return
	}
	for _, path := range paths {
		tellLabels(out, path, "dataset")
	}
}

// tellLabels tells of a folder whose pictures are all taken that it holds a data
// set, and by which flag its labels are left out.
func tellLabels(out io.Writer, folder, flag string) {
	if layouts := datasets.LayoutsAt(folder); len(layouts) > 0 {
		fmt.Fprintf(out, "%s holds a data set; --%s %s leaves its label files out\n", folder, flag, strings.Join(layouts, " or "))
	}
}
