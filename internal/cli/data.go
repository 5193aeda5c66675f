package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"t2sda/datasets"
)

func dataCommand() *cobra.Command {
	return group("data", "Look at data sets, convert and make them", checkCommand(), statsCommand(), convertCommand(), renderCommand(), layoutsCommand())
}

// treeFlags choose the splits of a data set whose root is the command's
// argument.
type treeFlags struct {
	options datasets.Options
	splits  []string
}

func (f *treeFlags) add(cmd *cobra.Command) {
	o := &f.options
	cmd.Args = cobra.ExactArgs(1)
	cmd.Flags().StringVar(&o.Layout, "dataset", "cityscapes", fmt.Sprintf("folder layout, one of %v", datasets.Layouts()))
	cmd.Flags().StringArrayVar(&f.splits, "split", nil, `split, for layouts that have them; may be given several times, "" for all folders as one (default: each one that is there)`)
	cmd.Flags().StringVar(&o.Images, "images", "", "image folder below ROOT in place of the layout's ({split} stands for the split)")
	cmd.Flags().StringVar(&o.Labels, "labels", "", "label folder below ROOT in place of the layout's")
	suffixFlags(cmd, o, "")
	cmd.Flags().StringVar(&o.Map, "map", "", fmt.Sprintf("label map: one of %v or a YAML file (default: the layout's)", datasets.Maps()))
	cmd.Flags().StringVar(&o.Channel, "channel", "", "channel of colour labels that holds the id: red, green or blue; color: the map's colours say it (default: the layout's)")
	chooseFlags(cmd, o)
}

// suffixFlags say how the names of images and labels end; prefix begins the names
// of the flags where a command has those of several data sets.
func suffixFlags(cmd *cobra.Command, o *datasets.Options, prefix string) {
	cmd.Flags().StringVar(&o.ImageSuffix, prefix+"image-suffix", "", "how images' names end before or with their extension, in place of the layout's; may hold *")
	cmd.Flags().StringVar(&o.LabelSuffix, prefix+"label-suffix", "", "likewise of labels; what comes before the suffixes pairs the two")
}

// chooseFlags choose among the images.
func chooseFlags(cmd *cobra.Command, o *datasets.Options) {
	cmd.Flags().StringVar(&o.List, "list", "", "text file that names the images to use, one a line, with their labels as a second column if need be")
	cmd.Flags().StringSliceVar(&o.Include, "include", nil, "glob patterns of file names to use, or of paths below the image folder (fog/*)")
	cmd.Flags().StringSliceVar(&o.Exclude, "exclude", nil, "glob patterns of images and labels to leave out")
}

// each returns the options of every split that was asked for; of those that it
// finds itself and leaves out, it tells.
func (f *treeFlags) each(ctx context.Context, out io.Writer, root string) ([]datasets.Options, error) {
	o := f.options
	o.Root = root
	splits := f.splits
	if len(splits) == 0 {
		var without []string
		var err error
		if splits, without, err = datasets.Splits(ctx, o); err != nil {
			return nil, err
		}
		for _, split := range without {
			o.Split = split
			fmt.Fprintf(out, "%s: left out, it has no image of the names that are looked for\n", o.Place())
		}
	}
	if len(splits) == 0 {
		splits = []string{""}
	}
	all := make([]datasets.Options, len(splits))
	for i, split := range splits {
		all[i] = o
		all[i].Split = split
	}
	return all, nil
}

// labelled returns the options of each split less those that were found without
// any label, a target's, of which it tells. Splits that were asked for by name
// stay, and so do all when none has labels: their errors then say why.
func (f *treeFlags) labelled(ctx context.Context, out io.Writer, root string) ([]datasets.Options, error) {
	all, err := f.each(ctx, out, root)
	if err != nil || len(f.splits) > 0 || len(all) == 1 {
		return all, err
	}
	var with, without []datasets.Options
	for _, o := range all {
		d, err := datasets.OpenContext(ctx, o)
		if err != nil {
			return nil, err
		}
		if hasLabels(d) {
			with = append(with, o)
		} else {
			without = append(without, o)
		}
	}
	if len(with) == 0 {
		return all, nil
	}
	for _, o := range without {
		fmt.Fprintf(out, "%s: left out, it has no labels\n", o.Place())
	}
	return with, nil
}

func hasLabels(d *datasets.Dataset) bool {
	for i := range d.Len() {
		if d.Item(i).Label != "" {
			return true
		}
	}
	return false
}

// tellPassedOver tells of the files in a data set's folders that count as nothing.
func tellPassedOver(cmd *cobra.Command, d *datasets.Dataset) {
	if text := datasets.Passed(d.PassedOver()); text != "" {
		fmt.Fprintf(cmd.ErrOrStderr(), "%s: %s\n", d.Root(), text)
	}
}

// labelledShare heads the share of a class: of the pixels that have one. Void is
// told apart, by [printVoid].
const labelledShare = "% of labelled"

func printVoid(w io.Writer, void, total int64) {
	fmt.Fprintf(w, "void: %s %% of all pixels\n", percent(void, total))
}

// percent returns a share in per cent; "–" for none, and for a share of nothing.
func percent(part, whole int64) string {
	switch share := 100 * float64(part) / float64(whole); {
	case part == 0 || whole == 0:
		return "–"
	case share < 0.01:
		return "<0.01"
	default:
		return fmt.Sprintf("%.2f", share)
	}
}
