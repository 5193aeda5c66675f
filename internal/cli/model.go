package cli

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"t2sda/datasets"
	"t2sda/export/predict"
	"t2sda/graphs/engine"
)

// modelFlags choose a model file and say how images go through it.
type modelFlags struct {
	device       engineFlags
	path, labels string
	size, window string
	overlap      float64
	bgr          bool
	options      predict.Options
	overlapGiven func() bool
}

func (f *modelFlags) add(cmd *cobra.Command) {
	f.device.add(cmd)
	o, flags := &f.options, cmd.Flags()
	flags.StringVar(&f.path, "model", "", "model file")
	flags.StringVar(&f.size, "size", "", "WxH that images are brought to, px (default: the model's, or their own)")
	flags.StringVar(&f.window, "window", "", "predict WxH windows of the image one by one, px, and average where they overlap")
	flags.Float64Var(&f.overlap, "overlap", 0.25, "least share of a window that the next one covers again")
	flags.Float64SliceVar(&o.Scales, "scales", nil, "average over images of these relative sizes, as in 0.75,1,1.25")
	flags.BoolVar(&o.Flip, "flip", false, "average over mirrored images, too")

	flags.StringVar(&f.labels, "labels", "", fmt.Sprintf("label map that says what the model's channels or ids are: one of %v or a YAML file", datasets.Maps()))
	flags.StringVar(&o.Input, "input", "", "the model's input (default: the only one)")
	flags.StringVar(&o.Output, "output", "", "output with logits or a label map (default: the only one)")
	flags.StringVar(&o.Layout, "layout", "", "of the input, nchw or nhwc (default: by its shape)")
	rgb := flags.Bool("rgb", false, "the input's channels are red, green, blue (the default)")
	flags.BoolVar(&f.bgr, "bgr", false, "the input's channels are blue, green, red")
	flags.Float64Var(&o.Scale, "scale", 0, "the input's value of full brightness (default 255)")
	flags.Float64SliceVar(&o.Mean, "mean", nil, "subtracted from each channel, in the input's order and scale")
	flags.Float64SliceVar(&o.Std, "std", nil, "that each channel is divided by then")
	flags.IntVar(&o.Divisor, "divisor", 0, "what width and height must be multiples of: images are continued by reflection, and results cut back (default: the first power of two up to 64 that the model runs with)")
	threshold := flags.Float64("threshold", 0, "of an output of one channel: the second of two classes is where it is above (0.5 for probabilities, 0 for logits)")
	cmd.MarkFlagsMutuallyExclusive("rgb", "bgr")
	_ = cmd.MarkFlagRequired("model") // fails only for flags that do not exist
	f.overlapGiven = func() bool { return flags.Changed("overlap") }
	cmd.PreRunE = func(*cobra.Command, []string) error {
		o.BGR = f.bgr || flags.Changed("rgb") && !*rgb
		if flags.Changed("threshold") {
			o.Threshold = threshold
		}
		return nil
	}
}

// modelHelp explains the flags of [modelFlags].
const modelHelp = `
Models that t2sda exported describe themselves. Of others the flags say what they
take and give: --layout, --rgb or --bgr, --scale, --mean and --std (a value v of
0–255 becomes (v·scale/255 − mean) / std), and --labels for classes in another
order, or by other ids, than %s. Logits may have any stride and their channels
first or last; one channel for two classes needs --threshold; label maps hold
numbers of any type. Inputs may have a fixed or a free size, or one free side.`

// open opens the model. Where nothing says what its classes are, they are those
// of space.
func (f *modelFlags) open(e *engine.Engine, space datasets.Space) (*predict.Predictor, error) {
	o := f.options
	o.Space = space
	var err error
	if o.Width, o.Height, err = parseSize("size", f.size); err != nil {
		return nil, err
	}
	if o.WindowWidth, o.WindowHeight, err = parseSize("window", f.window); err != nil {
		return nil, err
	}
	if f.window != "" || f.overlapGiven() {
		o.Overlap = f.overlap
	}
	o.Apart = f.overlapGiven() && f.overlap == 0
	if f.labels != "" {
		if o.Labels, err = datasets.LoadLabelMap(f.labels); err != nil {
			return nil, err
		}
	}
	p, err := predict.OpenWith(e, f.path, o)
	if errors.Is(err, predict.ErrNoClasses) {
		err = fmt.Errorf("%w (--labels)", err)
	}
	return p, err
}

// with opens engine and model for the time that do takes.
func (f *modelFlags) with(cmd *cobra.Command, space datasets.Space, do func(*engine.Engine, *predict.Predictor) error) (err error) {
	e, err := f.device.open(cmd)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	p, err := f.open(e, space)
	if err != nil {
		return err
	}
	for _, w := range f.options.Form.Warnings() {
		fmt.Fprintln(cmd.ErrOrStderr(), "t2sda: warning:", w)
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	return do(e, p)
}

// parseSize reads WxH; 0×0 for an empty text.
func parseSize(flag, text string) (w, h int, err error) {
	if text == "" {
		return 0, 0, nil
	}
	first, second, ok := strings.Cut(strings.ReplaceAll(text, "×", "x"), "x")
	w, errW := strconv.Atoi(first)
	h, errH := strconv.Atoi(second)
	if !ok || errW != nil || errH != nil || w <= 0 || h <= 0 {
		return 0, 0, usageError{fmt.Errorf("--%s %q: want width and height in pixels, as in 1024x512", flag, text)}
	}
	return w, h, nil
}
