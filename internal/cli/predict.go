package cli

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"t2sda/datasets"
	"t2sda/export/predict"
	"t2sda/export/reel"
	"t2sda/graphs/engine"
	"t2sda/internal/ffmpeg"
	"t2sda/internal/npy"
	"t2sda/internal/plural"
)

// prediction is what the command predict is asked for.
type prediction struct {
	model      modelFlags
	out, ids   string
	array, typ string           // of probabilities
	data       datasets.Options // where paths are not just files and folders
	options    reel.Options
}

func predictCommand() *cobra.Command {
	var v prediction
	cmd := &cobra.Command{
		Use:   "predict --model M.onnx --out DIR FILE|DIR|PATTERN|VIDEO|-…",
		Short: "Write what a model sees in images and videos",
		Long: `Write what a model sees in image files, in all images below folders and in the frames of
videos to the folder --out, in each --format. Patterns may be quoted ('shots/*_night*'),
numbered sequences are named as in frame_%06d.png, and - reads an image or names of files
from standard input. Videos need the program ffmpeg. With --dataset the one argument is the
root of a data set, of which the images are predicted, not the labels.

One format's files lie in --out itself, those of several in a folder each. Where frames were
passed over (--keep-going), the exit code is 3.
` + fmt.Sprintf(modelHelp, "--labels says; it is needed for them"),
		Args: cobra.MinimumNArgs(1),
		RunE: v.run,
	}
	v.model.add(cmd)
	flags, o := cmd.Flags(), &v.options
	flags.StringVar(&v.out, "out", "", "folder to write to")
	flags.StringSliceVar(&o.Formats, "format", []string{predict.FormatOverlay}, "one or several of "+strings.Join(reel.Formats(), ", "))
	flags.StringVar(&v.ids, "map", "cityscapes", fmt.Sprintf("label map whose ids the format %s writes, and if given %s and %s: one of %v or a YAML file", predict.FormatLabelIDs, reel.FormatRLE, reel.FormatPanoptic, datasets.Maps()))
	flags.Float64Var(&o.Overlay.Opacity, "opacity", 0.5, "of the classes' colours in overlays and videos, 0 to 1")
	flags.IntVar(&o.Overlay.Contours, "contours", 0, "width of the lines along classes' borders in overlays and videos, on each side, px")
	flags.StringVar(&v.array, "array", "npy", "files of probabilities: npy, or npz (compressed)")
	flags.StringVar(&v.typ, "array-type", "float32", "numbers of probabilities: float32 or float16")
	flags.Float64Var(&o.FPS, "fps", 25, "frames a second of the video of images")
	flags.StringVar(&o.Encoder, "encoder", ffmpeg.Encoder, "ffmpeg's encoder of videos")
	flags.IntVar(&o.Batch, "batch", 1, "frames of one size that share a run of the model; results stay the same")
	flags.IntVar(&o.Workers, "workers", 0, "frames that are read and written at once (0: one per core, 4 at most)")
	flags.BoolVar(&o.Force, "force", false, "replace files that are there")
	flags.BoolVar(&o.KeepGoing, "keep-going", false, "pass over frames that cannot be read, and list them")
	flags.StringVar(&v.data.Layout, "dataset", "", fmt.Sprintf("the argument is the root of a data set of this folder layout, one of %v", datasets.Layouts()))
	flags.StringVar(&v.data.Split, "split", "", "split of --dataset (default: all images)")
	flags.StringVar(&v.data.Images, "images", "", "image folder of --dataset in place of the layout's")
	suffixFlags(cmd, &v.data, "")
	flags.StringVar(&v.data.List, "list", "", "text file that names the images of --dataset to use")
	flags.StringSliceVar(&o.Include, "include", nil, "glob patterns of files below folders to use")
	flags.StringSliceVar(&o.Exclude, "exclude", nil, "glob patterns of files below folders to leave out")
	_ = cmd.MarkFlagRequired("out") // fails only for flags that do not exist
	return cmd
}

// formatFlags lists the formats that read a flag.
var formatFlags = map[string][]string{
	"map":        {predict.FormatLabelIDs, reel.FormatRLE, reel.FormatPanoptic},
	"opacity":    {predict.FormatOverlay, reel.FormatVideo},
	"contours":   {predict.FormatOverlay, reel.FormatVideo},
	"array":      {reel.FormatProbabilities},
	"array-type": {reel.FormatProbabilities},
	"fps":        {reel.FormatVideo},
	"encoder":    {reel.FormatVideo},
}

func (v *prediction) run(cmd *cobra.Command, paths []string) error {
	if err := tryFolder("out", v.out); err != nil {
		return err
	}
	if err := v.check(cmd); err != nil {
		return err
	}
	if err := v.open(cmd, paths); err != nil {
		return err
	}
	return v.model.with(cmd, datasets.Space{}, func(_ *engine.Engine, p *predict.Predictor) error {
		if m := v.options.Map; m != nil && !m.Space().Equal(p.Space()) {
			return fmt.Errorf("format %s: label map %s has other classes than the model (%q): name the one whose ids are wanted (--map)", strings.Join(v.options.Formats, ","), m.Name(), p.Space().Name)
		}
		v.options.Progress = progressOf(cmd, "predicting", "frames")
		v.options.Passed = func(files []string) { v.tellPassed(cmd, paths, files) }
		sum, err := reel.Run(cmd.Context(), p, paths, v.out, v.options)
		if err != nil {
			return err
		}
		return v.tell(cmd, sum)
	})
}

// check reads the flags of the formats.
func (v *prediction) check(cmd *cobra.Command) (err error) {
	wants := func(formats []string) bool {
		return slices.ContainsFunc(formats, func(f string) bool { return slices.Contains(v.options.Formats, f) })
	}
	for _, flag := range slices.Sorted(maps.Keys(formatFlags)) {
		if formats := formatFlags[flag]; cmd.Flags().Changed(flag) && !wants(formats) {
			return usageError{fmt.Errorf("--%s is for --format %s only", flag, strings.Join(formats, ", "))}
		}
	}
	if v.options.Archive = v.array == "npz"; !v.options.Archive && v.array != "npy" {
		return usageError{fmt.Errorf("--array %q: want npy or npz", v.array)}
	}
	types := map[string]npy.Type{"float32": npy.Float32, "float16": npy.Float16}
	var ok bool
	if v.options.Type, ok = types[v.typ]; !ok {
		return usageError{fmt.Errorf("--array-type %q: want float32 or float16", v.typ)}
	}
	if v.options.Batch < 1 {
		return usageError{fmt.Errorf("--batch %d: want 1 or more", v.options.Batch)}
	}
	if cmd.Flags().Changed("fps") && !(v.options.FPS > 0) {
		return usageError{fmt.Errorf("--fps %v: want more than 0", v.options.FPS)}
	}
	if wants([]string{predict.FormatLabelIDs}) || cmd.Flags().Changed("map") {
		v.options.Map, err = datasets.LoadLabelMap(v.ids)
	}
	if cmd.Flags().Changed("map") {
		v.options.Categories = v.options.Map
	}
	return err
}

// passedOver is the error of work that is done but for frames that could not be read.
type passedOver struct{ text string }

func (p passedOver) Error() string { return p.text }

// tell prints what was done. Frames that were passed over are its error.
func (v *prediction) tell(cmd *cobra.Command, sum reel.Summary) error {
	if sum.Apart {
		fmt.Fprintf(cmd.ErrOrStderr(), "t2sda: --batch %d: this device computes other numbers for several images at once than for one, so each had a run of its own\n", v.options.Batch)
	}
	one, many := "picture", "pictures"
	if sum.Videos {
		one, many = "frame", "frames"
	}
	text := fmt.Sprintf("%s in %s", plural.Of(sum.Frames, one, many), v.out)
	if s := sum.Took.Seconds(); sum.Frames > 1 && s > 0 {
		text += fmt.Sprintf(", %.3g a second", float64(sum.Frames)/s)
	}
	text += "\n"
	if sum.Passed > 0 {
		one, many = "image", "images"
		if sum.Videos {
			one, many = "frame or video", "frames or videos"
		}
		text += plural.Of(sum.Passed, one, many) + " left out:\n"
	}
	for _, fault := range sum.Faults {
		text += fmt.Sprintf("  %v\n", fault)
	}
	if more := sum.Passed - len(sum.Faults); more > 0 {
		text += fmt.Sprintf("  and %d more\n", more)
	}
	if _, err := io.WriteString(cmd.OutOrStdout(), text); err != nil || sum.Passed == 0 {
		return err
	}
	return passedOver{fmt.Sprintf("passed over %s, predicted %d", plural.Of(sum.Passed, one, many), sum.Frames)}
}

// open opens the data set that paths name, if there is one, and gives - a meaning.
func (v *prediction) open(cmd *cobra.Command, paths []string) (err error) {
	v.options.Stdin = cmd.InOrStdin()
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
	v.options.Dataset, err = datasets.OpenContext(cmd.Context(), v.data)
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
