package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"t2sda/datasets"
	"t2sda/export/picture"
	"t2sda/export/predict"
	"t2sda/export/report"
	"t2sda/export/score"
	"t2sda/graphs/engine"
	"t2sda/internal/plural"
	"t2sda/internal/ranks"
	"t2sda/internal/raster"
	"t2sda/internal/sha256sum"
	"t2sda/internal/shell"
	"t2sda/orchestrator"
)

// engineFlags choose library and device.
type engineFlags struct {
	options engine.Options
	ranks   *ranks.Group // that open it, each on its part of the machine
}

func (f *engineFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.options.Library, "library", "", "ONNX Runtime library file (default: discovered)")
	cmd.Flags().StringVar(&f.options.Device, "device", "auto", "cpu, cuda, cuda:N or auto")
	cmd.Flags().IntVar(&f.options.IntraOpThreads, "threads", 0, "threads inside of an operator (0: one per core)")
}

// open opens the library for commands that open model files, which are tried first.
func (f *engineFlags) open(cmd *cobra.Command) (*engine.Engine, error) {
	o := f.options
	var err error
	if o.IntraOpThreads, err = orchestrator.Threads(f.ranks, o.IntraOpThreads); err != nil {
		return nil, err
	}
	o.Vet = vet(cmd, o)
	return orchestrator.OpenRank(f.ranks, o)
}

// datasetFlags choose a split of images.
type datasetFlags struct {
	options datasets.Options
	chosen  func() bool // a split
}

func (f *datasetFlags) add(cmd *cobra.Command) {
	o := &f.options
	cmd.Flags().StringVar(&o.Layout, "dataset", "cityscapes", fmt.Sprintf("folder layout, one of %v", datasets.Layouts()))
	cmd.Flags().StringVar(&o.Root, "root", "", "folder of the data set")
	cmd.Flags().StringVar(&o.Split, "split", "", `split (default: val, valid or validation; of layouts without splits, all images; "": all folders as one)`)
	cmd.Flags().StringVar(&o.Images, "images", "", "image folder below root in place of the layout's")
	cmd.Flags().StringVar(&o.Labels, "gt", "", "label folder below root in place of the layout's")
	suffixFlags(cmd, o, "")
	cmd.Flags().StringVar(&o.Map, "map", "", fmt.Sprintf("label map of the data set: one of %v or a YAML file (default: the layout's)", datasets.Maps()))
	cmd.Flags().StringVar(&o.Channel, "channel", "", "channel of colour labels that holds the id: red, green or blue; color: the map's colours say it (default: the layout's)")
	chooseFlags(cmd, o)
	_ = cmd.MarkFlagRequired("root") // fails only for flags that do not exist
	f.chosen = func() bool { return cmd.Flags().Changed("split") }
}

// complete chooses the split where none was given.
func (f *datasetFlags) complete(ctx context.Context) error {
	if f.chosen() {
		return nil
	}
	splits, without, err := datasets.Splits(ctx, f.options)
	if err != nil || len(splits) == 0 {
		return err
	}
	for _, name := range []string{"val", "valid", "validation"} {
		if slices.Contains(splits, name) {
			f.options.Split = name
			return nil
		}
	}
	there := append(splits, without...)
	slices.Sort(there)
	return usageError{fmt.Errorf("--split: none is named, and %s has no val, valid or validation (there is %s)", f.options.Place(), strings.Join(there, ", "))}
}

// evaluation is what the command evaluate is asked for.
type evaluation struct {
	model   modelFlags
	data    datasetFlags
	save    string
	formats []string
	options score.Options
	out     *outputs     // of the rank that leads
	ranks   *ranks.Group // that evaluate together
}

func evaluateCommand() *cobra.Command { return new(evaluation).command() }

func (v *evaluation) command() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "evaluate --model M.onnx --root DIR",
		Short: "Score a segmentation model on a labelled split",
		Long: `Score any ONNX segmentation model on a labelled split, by the rules of the
Cityscapes benchmark: intersection over union per class over the whole split, at
the full size of the label files, void ignored. mpirun shares the images out.
` + fmt.Sprintf(modelHelp, "the data set's"),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return amongRanks(cmd, func(g *ranks.Group) error {
				v.ranks, v.model.device.ranks = g, g
				return v.run(cmd)
			})
		},
	}
	v.model.add(cmd)
	v.data.add(cmd)
	cmd.Flags().String("json", "", "write scores and confusion matrix to this file (- is standard output; the table then goes to standard error)")
	cmd.Flags().String("report", "", "write a self-contained HTML page with scores, confusion matrix and the worst images to this file")
	cmd.Flags().String("confusion", "", "draw the confusion matrix into this PNG file")
	cmd.Flags().StringVar(&v.save, "save-predictions", "", "write predictions below this folder, a folder per format, for Cityscapes with the benchmark's file names")
	cmd.Flags().StringSliceVar(&v.formats, "formats", predict.Formats(), "formats of --save-predictions")
	cmd.Flags().IntVar(&v.options.Workers, "workers", 0, "goroutines that decode and score (0: one per core, which ranks of a machine share)")
	cmd.Flags().IntVar(&v.options.Worst, "worst", 8, "images with the lowest pixel accuracy to list in --json and to show in --report")
	cmd.Flags().BoolVar(&v.options.KeepGoing, "keep-going", false, "leave out images that cannot be read, and list them")
	return cmd
}

// run scores the model and writes the scores where they are wanted. Where there are
// ranks, each scores its part of the images, and what may fail on one alone ends where
// they agree.
func (v *evaluation) run(cmd *cobra.Command) error {
	d, err := v.open(cmd)
	if err := v.ranks.Agree(err); err != nil {
		return err
	}
	err = sameForAll(v.ranks, v.facts(d))
	if err != nil {
		return err
	}
	open := false // here, and the others are asked whether there as well
	err = v.model.with(cmd, d.Space(), func(_ *engine.Engine, p *predict.Predictor) error {
		open = true
		if err := v.ranks.Agree(v.saveTo(d)); err != nil {
			return err
		}
		return v.score(cmd, p, d)
	})
	if !open {
		err = v.ranks.Agree(err)
	}
	return err
}

// open tries the outputs, and opens the data set.
func (v *evaluation) open(cmd *cobra.Command) (d *datasets.Dataset, err error) {
	if v.save == "" && cmd.Flags().Changed("formats") {
		return nil, usageError{errors.New("--formats is for --save-predictions")}
	}
	if v.ranks.Leads() {
		if v.out, err = openOutputs(cmd, "json", "report", "confusion"); err != nil {
			return nil, err
		}
	}
	if v.save != "" {
		if err := tryFolder("save-predictions", v.save); err != nil {
			return nil, err
		}
	}
	o := &v.data.options
	o.KeepGoing, o.RequireLabels = v.options.KeepGoing, !v.options.KeepGoing
	if err := v.data.complete(cmd.Context()); err != nil {
		return nil, err
	}
	if d, err = datasets.OpenContext(cmd.Context(), *o); err == nil {
		tellPassedOver(cmd, d)
	}
	return d, err
}

// score scores the model on a data set.
func (v *evaluation) score(cmd *cobra.Command, p *predict.Predictor, d *datasets.Dataset) error {
	if !v.needsWhole() {
		d = d.AtSize(p.ImageSize())
	}
	v.options.Name, v.options.Progress = v.data.options.Place(), progressOf(cmd, "evaluating", "images")
	orchestrator.ShareOut(v.ranks, &v.options, v.together)
	var err error
	if v.options.Workers, err = orchestrator.Threads(v.ranks, v.options.Workers); err != nil {
		return err
	}
	result, err := score.Evaluate(cmd.Context(), p, d, v.options)
	if err == nil && result.Images == 0 {
		err = fmt.Errorf("%s: no image can be scored", v.options.Name)
		if len(result.Skipped) > 0 {
			err = fmt.Errorf("%w, the first: %s", err, result.Skipped[0].Error)
		}
	}
	if err != nil {
		return err
	}
	if v.ranks.Leads() {
		err = errors.Join(v.write(cmd.Context(), p, d, result), v.print(v.out.people(), result))
	}
	return v.ranks.Agree(err)
}

// together tells the other ranks what was counted here.
func (v *evaluation) together(counted []byte, err error) ([][]byte, error) {
	if err := v.ranks.Agree(err); err != nil {
		return nil, err
	}
	return ranks.Texts(v.ranks, counted)
}

// facts are what ranks must have in common. A model that cannot be read is told when it is
// opened.
func (v *evaluation) facts(d *datasets.Dataset) [][2]string {
	if v.ranks.Size() == 1 {
		return nil
	}
	sum := func(file string) string {
		digest, _ := sha256sum.File(file) // none of maps that are built in
		return digest
	}
	return [][2]string{
		{"version", version()},
		{"command line", shell.Quote(os.Args[1:]...)},
		{"model", sum(v.model.path)},
		{"label map of the data set", sum(v.data.options.Map)},
		{"label map of the model", sum(v.model.labels)},
		{"list of classes", sha256sum.Of(fmt.Append(nil, d.Space()))},
		{"data set", fmt.Sprintf("%s, names %s", plural.Of(d.Len(), "image", "images"), d.NamesKey())},
	}
}

// needsWhole reports whether images are wanted at their own size, whatever size
// the model takes.
func (v *evaluation) needsWhole() bool {
	return v.save != "" && slices.Contains(v.formats, predict.FormatOverlay)
}

// saveTo makes the evaluation write its predictions, if they are wanted.
func (v *evaluation) saveTo(d *datasets.Dataset) error {
	if v.save == "" {
		return nil
	}
	w, err := predict.NewWriter(v.save, v.formats, d)
	if err != nil {
		return fmt.Errorf("--save-predictions: %w", err)
	}
	v.options.Each = func(p score.Prediction) error { return w.Write(p.ID, p.Image, p.Labels) }
	return nil
}

// write writes the files that were asked for.
func (v *evaluation) write(ctx context.Context, p *predict.Predictor, d *datasets.Dataset, result *score.Result) error {
	if err := v.out.writeJSON("json", result); err != nil {
		return err
	}
	if v.out.wants("confusion") {
		if err := v.drawConfusion(d, result); err != nil {
			return err
		}
	}
	if !v.out.wants("report") {
		return nil
	}
	worst, err := report.Worst(ctx, d, p.Predict, result.Worst)
	if err != nil {
		return err
	}
	return v.out.write("report", func(w io.Writer) error { return report.Render(w, v.page(p, d, result, worst)) })
}

func (v *evaluation) drawConfusion(d *datasets.Dataset, result *score.Result) error {
	matrix, err := picture.Confusion(d.Space(), result.Confusion)
	if err != nil {
		return err
	}
	data, err := raster.EncodePNG(matrix)
	if err != nil {
		return err
	}
	return v.out.writeBytes("confusion", data)
}

// page is the report.
func (v *evaluation) page(p *predict.Predictor, d *datasets.Dataset, result *score.Result, worst report.Strip) report.Data {
	facts := []report.Fact{
		{Name: "model", Value: p.Name()},
		{Name: "data", Value: plural.Of(result.Images, "image", "images") + " of " + result.Dataset},
		{Name: "label map", Value: d.Map().Name()},
		{Name: "inference", Value: result.Inference.String()},
	}
	m := p.Metadata()
	if m.Architecture.Encoder != "" {
		facts = append(facts, report.Fact{Name: "network", Value: m.Architecture.Encoder + " + " + m.Architecture.Head})
	}
	if len(result.Skipped) > 0 {
		facts = append(facts, report.Fact{Name: "left out", Value: plural.Of(len(result.Skipped), "file", "files") + ", listed below the scores"})
	}
	return report.Data{
		Title: fmt.Sprintf("%s on %s", filepath.Base(p.Name()), result.Dataset), Facts: facts,
		Space: d.Space(), Final: result, Worst: worst,
		Version: version(), Command: commandLine(), ConfigHash: m.ConfigHash, Created: time.Now(),
	}
}

// print shows the scores, and what was left out.
func (v *evaluation) print(w io.Writer, result *score.Result) error {
	if err := result.Table(w, nil); err != nil {
		return err
	}
	for _, s := range result.Skipped {
		fmt.Fprintf(w, "  %s\n", s.Error)
	}
	return nil
}
