package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"t2sda/configs"
	"t2sda/datasets"
	"t2sda/internal/plural"
	"t2sda/internal/shell"
	"t2sda/translate"
	"t2sda/translate/neural"
	"t2sda/translate/offline"
)

// translation is what the command translate is asked for.
type translation struct {
	engines        string
	source, target setFlags
	options        translate.Options
	network, adain neural.Options
	measure        int
	look           string // pictures to measure
	device         engineFlags
	run            offline.Options
}

// setFlags choose the pictures of one side.
type setFlags struct {
	options datasets.Options
	size    string
}

func (f *setFlags) add(cmd *cobra.Command, side, what, prefix string) {
	flags := cmd.Flags()
	flags.StringVar(&f.options.Root, side, "", what)
	flags.StringVar(&f.options.Layout, side+"-dataset", "", fmt.Sprintf("--%s is the root of a data set of this folder layout, one of %v", side, datasets.Layouts()))
	suffixFlags(cmd, &f.options, side+"-")
	flags.StringSliceVar(&f.options.Include, side+"-include", nil, "glob patterns of "+side+" pictures to use")
	flags.StringSliceVar(&f.options.Exclude, side+"-exclude", nil, "glob patterns of "+side+" pictures to leave out")
	flags.StringVar(&f.options.Split, side+"-split", "", "split of --"+side+"-dataset (default: all images)")
	flags.StringVar(&f.size, prefix+"size", "", "WxH that "+side+" pictures are brought to, px (default: their own); in training, data."+side+".resize")
}

// open opens the pictures, and tells out what is passed over among them. The flags
// of the side are named after it.
func (f *setFlags) open(out io.Writer, side, sizeFlag string) (_ *offline.Set, err error) {
	if f.options.Width, f.options.Height, err = parseSize(sizeFlag, f.size); err != nil {
		return nil, err
	}
	set, err := offline.OpenSet(f.options)
	if err != nil {
		return nil, err
	}
	if text := datasets.Passed(set.PassedOver()); text != "" {
		fmt.Fprintf(out, "%s: %s\n", set.Root(), text)
	}
	if f.options.Layout == "" {
		tellLabels(out, f.options.Root, side+"-dataset")
	}
	return set, nil
}

func translateCommand() *cobra.Command {
	t := translation{options: translate.DefaultOptions()}
	cmd := &cobra.Command{
		Use:   "translate --source FILE|DIR --target FILE|DIR --out FILE|DIR | --fit DIR",
		Short: "Give pictures the appearance of others: one to look at, or a whole data set",
		Long: `Give a picture, or all image files below a folder, the appearance of the
target. The results are PNG files; below a folder they keep their paths, so that
training reads them with translate.engine=folder translate.folder=DIR. Each picture
is translated towards one of the target's, drawn by the seed and its place in the
list. Nothing is written among the pictures that are read.

An interrupted run leaves whole files only, and --resume makes those that are
missing, if everything else on the command line is as it was.

With --fit nothing is translated: it measures how the pictures of a folder look, with
no regard to what they show (tone, colour, sharpness, noise, vignette), by which the
engine camera compares source and target. Labels are not read.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if t.measure < 0 {
				return usageError{fmt.Errorf("--images: %d is negative", t.measure)}
			}
			if t.look != "" {
				return t.fit(cmd)
			}
			return t.do(cmd)
		},
	}
	t.add(cmd)
	t.device.add(cmd)
	cmd.MarkFlagsOneRequired("source", "fit")
	cmd.MarkFlagsMutuallyExclusive("source", "fit")
	cmd.MarkFlagsRequiredTogether("source", "out")
	cmd.MarkFlagsMutuallyExclusive("resume", "overwrite")
	return cmd
}

func (t *translation) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	t.source.add(cmd, "source", "picture to translate, or folder of pictures", "")
	t.target.add(cmd, "target", "picture whose appearance is given, or folder of them", "target-")
	flags.StringVar(&t.run.Out, "out", "", "PNG file to write (- is standard output), or folder")
	flags.StringVar(&t.engines, "engine", translate.EngineFDA,
		strings.Join(append(translate.Names(), neural.Engine, neural.AdaIN), ", ")+", or several with weights, to draw from for each picture: '{fda: 1, blur: 2}'")
	flags.Uint64Var(&t.run.Seed, "seed", 0, "seed of what is drawn")

	o := &t.options
	flags.Float64Var(&o.Band, "band", o.Band, "fda: L, half width of the exchanged window as a share of the shorter side")
	flags.StringVar(&o.Box, "box", o.Box, "fda: window, min or axes")
	flags.BoolVar(&o.Asymmetric, "asymmetric", o.Asymmetric, "fda: the public training code's window")
	flags.BoolVar(&o.Clip, "clip", o.Clip, "fda: clip to 0–255 before rounding")
	flags.Float64Var(&o.Camera.Exposure, "exposure", o.Camera.Exposure, "camera: deviation of each picture's exposure, stops")
	flags.Float64Var(&o.Camera.Cast, "cast", o.Camera.Cast, "camera: deviation of each picture's colour cast, grey levels")
	flags.Float64Var(&o.Camera.Strength, "strength", o.Camera.Strength, "camera: each picture's blur and noise are multiplied by 1 ± up to this")
	flags.IntVar(&t.measure, "images", configs.Default().Translate.Camera.Images, "camera, --fit: pictures (of each side) that are measured, evenly spaced; 0: all")
	flags.StringVar(&t.look, "fit", "", "folder of pictures (with --source-dataset: root of a data set) to measure")
	flags.String("json", "", "--fit: file to write all numbers to (- is standard output)")
	flags.StringVar(&o.Folder, "folder", "", "folder: pictures translated elsewhere")
	flags.StringVar(&t.network.Model, "model", "", "onnx: model file")
	flags.StringVar(&t.network.Range, "range", "", "onnx: range of the model's float images, "+strings.Join(neural.Ranges(), ", ")+" (default 0..1)")

	flags.StringVar(&t.adain.Model, "adain", "", "adain: model file, of a picture and a reference picture, which is the target's")
	flags.StringVar(&t.adain.Range, "adain-range", "", "adain: as --range")
	flags.StringSliceVar(&o.Weather.Kinds, "weather", nil, "weather: kinds to draw from, "+strings.Join(translate.WeatherKinds(), ", ")+" (default all)")
	flags.Float64Var(&o.Weather.SeverityMin, "severity-min", o.Weather.SeverityMin, "weather: least severity that is drawn, 1 to 5")
	flags.Float64Var(&o.Weather.SeverityMax, "severity-max", o.Weather.SeverityMax, "weather: greatest severity that is drawn, 1 to 5")

	flags.IntVar(&t.run.Workers, "workers", 0, "goroutines (0: one per core)")
	flags.BoolVar(&t.run.Resume, "resume", false, "keep the pictures that are there, and make the others")
	flags.BoolVar(&t.run.Overwrite, "overwrite", false, "make the pictures that are there anew")
}

func (t *translation) do(cmd *cobra.Command) (err error) {
	engines, err := configs.ParseEngines(t.engines)
	if err != nil {
		return usageError{err}
	}
	if err := unread(cmd, engines); err != nil {
		return err
	}
	if err := t.tryOut(cmd); err != nil {
		return err
	}
	target, err := t.open(cmd.ErrOrStderr())
	if err != nil {
		return err
	}
	networks, closeAll, err := t.openNetworks(cmd, engines)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeAll()) }()
	if err := t.aim(engines, networks, target); err != nil {
		return err
	}
	if t.run.Engine, err = t.mix(cmd.Context(), engines, networks, target); err != nil {
		return err
	}
	t.run.Settings = settings(cmd)
	t.run.Progress = progressOf(cmd, "translating", "pictures")
	result, err := offline.Run(cmd.Context(), t.run)
	if err != nil || t.run.Source.Single() {
		return err
	}
	t.print(cmd.OutOrStdout(), result)
	return nil
}

// openNetworks opens the networks among the engines, by name. closeAll closes them.
func (t *translation) openNetworks(cmd *cobra.Command, engines configs.Engines) (_ map[string]*neural.Translator, closeAll func() error, err error) {
	if !engines.Use(neural.Engine) && !engines.Use(neural.AdaIN) {
		return nil, func() error { return nil }, nil
	}
	e, err := t.device.open(cmd)
	if err != nil {
		return nil, nil, err
	}
	networks := map[string]*neural.Translator{}
	if engines.Use(neural.Engine) {
		networks[neural.Engine], err = neural.Open(e, t.network)
	}
	if engines.Use(neural.AdaIN) && err == nil {
		networks[neural.AdaIN], err = neural.OpenAdaIN(e, t.adain)
	}
	if err != nil {
		return nil, nil, errors.Join(err, e.Close())
	}
	return networks, e.Close, nil // and the networks with it
}

// open opens both sides and tells out what they pass over; the target is nil where none is given.
func (t *translation) open(out io.Writer) (target *offline.Set, err error) {
	if t.options.Folder != "" {
		t.run.Spare = append(t.run.Spare, t.options.Folder)
	}
	if t.run.Source, err = t.source.open(out, "source", "size"); err != nil || t.target.options.Root == "" {
		return nil, err
	}
	if target, err = t.target.open(out, "target", "target-size"); err != nil {
		return nil, err
	}
	t.run.Spare, t.run.Read = append(t.run.Spare, target.Root()), []*offline.Set{target}
	return target, nil
}

// tryOut tries the place of the results. A picture for standard output, a device or
// a FIFO goes there as it is.
func (t *translation) tryOut(cmd *cobra.Command) error {
	if source, err := os.Stat(t.source.options.Root); err == nil && source.IsDir() || datasets.NamesShards(t.source.options.Root) {
		return tryFolder("out", t.run.Out)
	}
	if dir := filepath.Dir(t.run.Out); t.run.Out != stdoutName {
		if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
			return tryFolder("out", dir) // the folder will be made
		}
	}
	out, err := openOutputs(cmd, "out")
	if err == nil && out.special("out") {
		t.run.To = func(write func(io.Writer) error) error { return out.write("out", write) }
	}
	return err
}

func (t *translation) print(w io.Writer, r offline.Result) {
	fmt.Fprintf(w, "%s written to %s", plural.Of(r.Written, "picture", "pictures"), t.run.Out)
	if r.Kept > 0 {
		fmt.Fprintf(w, ", %s there", plural.Of(r.Kept, "was", "were"))
	}
	fmt.Fprintf(w, "; training reads them with translate.engine=folder translate.folder=%s\n", shell.Quote(t.run.Out))
}

// aim gives the run the target pictures where an engine looks at one for each
// picture, and checks that they are there where one is needed at all.
func (t *translation) aim(engines configs.Engines, networks map[string]*neural.Translator, target *offline.Set) error {
	looks := engines.Use(translate.EngineFDA)
	for _, n := range networks {
		looks = looks || n.NeedsTarget()
	}
	if target == nil && (looks || engines.Use(translate.EngineCamera)) {
		return usageError{fmt.Errorf("--target: engine %s needs a target picture", engines)}
	}
	if looks {
		t.run.Target = target
	}
	return nil
}

// mix builds the engines.
func (t *translation) mix(ctx context.Context, engines configs.Engines, networks map[string]*neural.Translator, target *offline.Set) (translate.Engine, error) {
	var members []translate.Member
	for _, name := range engines.Names() {
		if network, ok := networks[name]; ok {
			members = append(members, translate.Member{Name: name, Weight: engines[name], Engine: network})
			continue
		}
		o := t.options
		o.Engine = name
		if name == translate.EngineCamera {
			var err error
			o.Model, err = translate.FitCamera(ctx, t.run.Source.Images(), target.Images(), translate.MeasureOptions{Images: t.measure, Workers: t.run.Workers})
			if err != nil {
				return nil, err
			}
		}
		e, err := translate.New(o)
		if err != nil {
			return nil, usageError{err}
		}
		members = append(members, translate.Member{Name: name, Weight: engines[name], Engine: e})
	}
	return translate.NewMix(members...)
}

// shape is how pictures depend on a flag.
type shape struct {
	place  bool   // a file or folder
	engine string // the only one that reads it; empty: all do
}

// shaping lists the flags that the pictures depend on.
var shaping = map[string]shape{
	"source": {place: true}, "source-dataset": {}, "source-split": {}, "size": {},
	"source-image-suffix": {}, "source-label-suffix": {}, "source-include": {}, "source-exclude": {},
	"target": {place: true}, "target-dataset": {}, "target-split": {}, "target-size": {},
	"target-image-suffix": {}, "target-label-suffix": {}, "target-include": {}, "target-exclude": {},
	"engine": {}, "seed": {},
	"band": {engine: translate.EngineFDA}, "box": {engine: translate.EngineFDA},
	"asymmetric": {engine: translate.EngineFDA}, "clip": {engine: translate.EngineFDA},
	"exposure": {engine: translate.EngineCamera}, "cast": {engine: translate.EngineCamera},
	"strength": {engine: translate.EngineCamera}, "images": {engine: translate.EngineCamera},
	"folder": {place: true, engine: translate.EngineFolder},
	"model":  {place: true, engine: neural.Engine}, "range": {engine: neural.Engine},
	"adain": {place: true, engine: neural.AdaIN}, "adain-range": {engine: neural.AdaIN},
	"weather":      {engine: translate.EngineWeather},
	"severity-min": {engine: translate.EngineWeather}, "severity-max": {engine: translate.EngineWeather},
}

// unread returns an error for a flag that none of the engines reads: whoever gives
// a model does not want another engine's pictures.
func unread(cmd *cobra.Command, engines configs.Engines) error {
	if cmd.Flags().Changed("json") {
		return usageError{errors.New("--json is for --fit")}
	}
	for _, name := range slices.Sorted(maps.Keys(shaping)) {
		if e := shaping[name].engine; e != "" && cmd.Flags().Changed(name) && !engines.Use(e) {
			return usageError{fmt.Errorf("--%s is for engine %s, and --engine is %s", name, e, engines)}
		}
	}
	return nil
}

// settings returns the flags that the pictures depend on, where they differ from
// their defaults.
func settings(cmd *cobra.Command) map[string]string {
	all := map[string]string{}
	for name, shape := range shaping {
		f := cmd.Flags().Lookup(name)
		value := f.Value.String()
		if value == f.DefValue {
			continue
		}
		if abs, err := filepath.Abs(value); shape.place && err == nil && !strings.Contains(value, "://") { // a bucket's is whole
			value = abs
		}
		all["--"+name] = value
	}
	return all
}
