package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"t2sda/export"
	"t2sda/export/predict"
	"t2sda/graphs"
	"t2sda/internal/atomicfile"
	"t2sda/internal/plural"
	"t2sda/orchestrator"
)

// exportFlags are the flags of t2sda export.
type exportFlags struct {
	device engineFlags
	o      orchestrator.ExportOptions
	input  string
	force  bool

	precision precisionFlags
}

func exportCommand() *cobra.Command {
	var f exportFlags
	cmd := &cobra.Command{
		Use:   "export --run DIR --out M.onnx",
		Short: "Export a run's student, or its teacher, as one ONNX file",
		Long: `Export a run's student, or its teacher, as one ONNX file of standard operators, for
images of one size or, with --dynamic, of any. Batch norm is folded into convolutions, and the
file describes itself in its metadata. It gets its name when its labels agree with those of
the training network, on images of the run's evaluation split. M.json beside it says what it
takes and gives, and its SHA-256 (t2sda verify compares it); M.md is its card for people.

Outputs, at the image's size or, with _stride after the name, at that of the network's logits:
logits, softmax, labels (uint8), labels_int64 and confidence.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	flags := cmd.Flags()
	f.device.add(cmd)
	f.precision.add(cmd)
	flags.StringVar(&f.o.Run, "run", "", "run directory")
	flags.String("out", "", "model file to write (- is standard output)")
	flags.StringVar(&f.o.Checkpoint, "checkpoint", "last", "last, best or the name of one of the run's checkpoints")
	flags.StringVar(&f.o.Weights, "weights", "student", "student or teacher")
	flags.IntVar(&f.o.Width, "width", 0, "of the input, px (0: of the run's evaluation images)")
	flags.IntVar(&f.o.Height, "height", 0, "of the input, px")
	flags.BoolVar(&f.o.Form.Dynamic, "dynamic", false, "batch, height and width are free")
	flags.IntVar(&f.o.Form.Opset, "opset", graphs.Opset, fmt.Sprintf("version of ONNX's operators, %d to %d", graphs.Opset, graphs.LastOpset))
	flags.StringVar(&f.input, "input", export.Uint8NHWC, strings.Join(export.Inputs(), ", ")+" (uint8 is RGB 0–255, float comes normalised)")
	flags.StringSliceVar(&f.o.Form.Outputs, "output", []string{predict.OutputLogits}, "one or several of "+strings.Join(predict.Outputs(), ", "))
	flags.BoolVar(&f.force, "force", false, "replace files that are there")
	cmd.MarkFlagsMutuallyExclusive("dynamic", "width")
	cmd.MarkFlagsMutuallyExclusive("dynamic", "height")
	_ = cmd.MarkFlagRequired("run") // fails only for flags that do not exist
	_ = cmd.MarkFlagRequired("out")
	return cmd
}

func (f *exportFlags) run(cmd *cobra.Command) (err error) {
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
	model, err := orchestrator.Export(cmd.Context(), e, f.o)
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
