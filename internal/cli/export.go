package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"t2sda/configs"
	"t2sda/datasets"
	"t2sda/export"
	"t2sda/export/predict"
	"t2sda/graphs"
	"t2sda/graphs/engine"
	"t2sda/graphs/weights/fetch"
	"t2sda/internal/atomicfile"
	"t2sda/internal/plural"
	"t2sda/orchestrator"
)

// exportFlags are the flags of t2sda export.
type exportFlags struct {
	device engineFlags
	o      orchestrator.ExportOptions
	input  string
	labels string
	force  bool

	precision precisionFlags
}

func exportCommand() *cobra.Command {
	var f exportFlags
	cmd := &cobra.Command{
		Use:   "export --run DIR | --weights FILE [key=value…] --out M.onnx",
		Short: "Export a run's student, its teacher or weights from elsewhere as one ONNX file",
		Long: `Export a run's student, or its teacher, as one ONNX file of standard operators, for
images of one size or, with --dynamic, of any. Batch norm is folded into convolutions, and the
file describes itself in its metadata. It gets its name when its labels agree with those of
the training network, on images of the run's evaluation split. M.json beside it says what it
takes and gives, and its SHA-256 (t2sda verify compares it); M.md is its card for people.

Outputs, at the image's size or, with _stride after the name, at that of the network's logits:
logits, softmax, labels (uint8), labels_int64 and confidence.

Without --run, --weights is a file that t2sda weights import reads (or fetch:NAME, as model.init
takes it) and that holds a whole network: a transformers SegFormer, for one. Its encoder and head
are looked for, or named: model.encoder=mit_b2 model.head=segformer model.head_width=768.`,
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, args) },
	}
	flags := cmd.Flags()
	f.device.add(cmd)
	f.precision.add(cmd)
	flags.StringVar(&f.o.Run, "run", "", "run directory")
	flags.String("out", "", "model file to write (- is standard output)")
	flags.StringVar(&f.o.Checkpoint, "checkpoint", "last", "last, best or the name of one of the run's checkpoints")
	flags.StringVar(&f.o.Weights, "weights", orchestrator.Student, "of --run, student or teacher; without it, a file of weights")
	flags.StringVar(&f.labels, "labels", "cityscapes", fmt.Sprintf("label map of the classes of a file's weights, in order: one of %v or a YAML file", datasets.Maps()))
	flags.IntVar(&f.o.Width, "width", 0, "of the input, px (0: of the run's evaluation images)")
	flags.IntVar(&f.o.Height, "height", 0, "of the input, px")
	flags.BoolVar(&f.o.Form.Dynamic, "dynamic", false, "batch, height and width are free")
	flags.IntVar(&f.o.Form.Opset, "opset", graphs.Opset, fmt.Sprintf("version of ONNX's operators, %d to %d", graphs.Opset, graphs.LastOpset))
	flags.StringVar(&f.input, "input", export.Uint8NHWC, strings.Join(export.Inputs(), ", ")+" (uint8 is RGB 0–255, float comes normalised)")
	flags.StringSliceVar(&f.o.Form.Outputs, "output", []string{predict.OutputLogits}, "one or several of "+strings.Join(predict.Outputs(), ", "))
	flags.BoolVar(&f.force, "force", false, "replace files that are there")
	cmd.MarkFlagsMutuallyExclusive("dynamic", "width")
	cmd.MarkFlagsMutuallyExclusive("dynamic", "height")
	_ = cmd.MarkFlagRequired("out") // fails only for flags that do not exist
	cmd.MarkFlagsOneRequired("run", "weights")
	return cmd
}

func (f *exportFlags) run(cmd *cobra.Command, settings []string) (err error) {
	if err := f.source(cmd, settings); err != nil {
		return usageError{err}
	}
	if (f.o.Width == 0) != (f.o.Height == 0) {
		return usageError{errors.New("--width and --height: give both, or none")}
	}
	if err := f.o.Form.SetInput(f.input); err != nil {
		return usageError{fmt.Errorf("--input: %w", err)}
	}
	if err := f.precision.check(cmd); err != nil {
		return err
	}
	out, err := openOutputs(cmd, "out")
	if err != nil {
		return err
	}
	if err := f.keeps(out); err != nil {
		return err
	}
	e, err := f.device.open(cmd)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	f.o.Version, f.o.Warn = version(), warnings(cmd)
	model, err := f.make(cmd, e, settings)
	if err != nil {
		return err
	}
	lines, err := f.precision.narrow(cmd, e, model)
	if err != nil {
		return err
	}
	if err := f.write(out, model); err != nil {
		return err
	}
	a := model.Agreement()
	if _, err := fmt.Fprintf(out.people(), "%s\nlabels as the training network's on %.4f %% of %s\n", out.name("out"), 100*a.Share(), plural.Of(int(a.Pixels), "pixel", "pixels")); err != nil {
		return err
	}
	for _, line := range lines {
		fmt.Fprintln(out.people(), line)
	}
	return nil
}

// source refuses flags that mean nothing to a run, or to a file.
func (f *exportFlags) source(cmd *cobra.Command, settings []string) error {
	changed := cmd.Flags().Changed
	switch {
	case f.o.Run != "" && len(settings) > 0:
		return fmt.Errorf("%s: a run has its own configuration; settings are for --weights FILE", settings[0])
	case f.o.Run != "" && changed("labels"):
		return errors.New("--labels is for --weights FILE: a run knows its classes")
	case f.o.Run != "":
		return nil
	case f.o.Weights == orchestrator.Student || f.o.Weights == orchestrator.Teacher:
		return fmt.Errorf("--weights %s: of which run (--run)?", f.o.Weights)
	case changed("checkpoint"):
		return errors.New("--checkpoint is for --run")
	case f.precision.o.Precision != orchestrator.FP32 && f.precision.o.Calibrate == "":
		return fmt.Errorf("--precision %s: --calibrate FOLDER must name images; no run has any", f.precision.o.Precision)
	case !f.o.Form.Dynamic && f.o.Width == 0:
		return errors.New("--weights FILE: give --dynamic, or --width and --height: no run says which size images have")
	}
	return nil
}

// make makes the model of a run, or of a file of weights.
func (f *exportFlags) make(cmd *cobra.Command, e *engine.Engine, settings []string) (*orchestrator.Exported, error) {
	if f.o.Run != "" {
		return orchestrator.Export(cmd.Context(), e, f.o)
	}
	m, err := datasets.LoadLabelMap(f.labels)
	if err != nil {
		return nil, fmt.Errorf("--labels: %w", err)
	}
	w := orchestrator.Imported{File: f.o.Weights, Settings: settings, Space: m.Space()}
	if name, ok := strings.CutPrefix(w.File, configs.FetchPrefix); ok {
		w.Origin = w.File
		var o fetch.Options
		tellFetch(cmd, &o)
		if w.File, err = fetch.Fetch(cmd.Context(), name, o); err != nil {
			return nil, err
		}
	}
	return orchestrator.ExportImported(cmd.Context(), e, w, f.o)
}

// keeps refuses to replace what is there.
func (f *exportFlags) keeps(out *outputs) error {
	if out.special("out") {
		return nil
	}
	model := out.paths["out"]
	description, card := export.Beside(model)
	if model == description || model == card {
		return usageError{fmt.Errorf("--out %s: that is what the file beside the model is called: take %s.onnx", model, strings.TrimSuffix(model, filepath.Ext(model)))}
	}
	for _, path := range []string{model, description, card} {
		if f.force {
			break
		}
		if _, err := os.Stat(path); err == nil {
			return fmt.Errorf("--out: %s is there already: --force replaces it", path)
		}
	}
	return nil
}

// write writes what lies beside the model, and last the model.
func (f *exportFlags) write(out *outputs, model *orchestrator.Exported) error {
	if !out.special("out") {
		path := out.paths["out"]
		if err := writeBeside(path, model); err != nil {
			return err
		}
	}
	return out.writeBytes("out", model.Model)
}

func writeBeside(path string, model *orchestrator.Exported) error {
	description, card, err := model.Files(path)
	if err != nil {
		return err
	}
	toDescription, toCard := export.Beside(path)
	if err := atomicfile.Write(toDescription, description); err != nil {
		return err
	}
	return atomicfile.Write(toCard, card)
}
