package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"t2sda/export/predict"
	"t2sda/orchestrator"
)

func exportCommand() *cobra.Command {
	var o orchestrator.ExportOptions
	cmd := &cobra.Command{
		Use:   "export --run DIR --out M.onnx",
		Short: "Export a run's student, or its teacher, as one ONNX file",
		Long: `Export a run's student, or its teacher, as one ONNX file for images of one
size. The file normalises its input (RGB, 0–255), has batch norm folded into its
convolutions and describes itself in its metadata.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if (o.Width == 0) != (o.Height == 0) {
				return usageError{errors.New("--width and --height: give both, or none")}
			}
			out, err := openOutputs(cmd, "out")
			if err != nil {
				return err
			}
			o.Version, o.Warn = version(), warnings(cmd)
			model, err := orchestrator.Export(cmd.Context(), o)
			if err != nil {
				return err
			}
			if err := out.writeBytes("out", model); err != nil {
				return err
			}
			_, err = fmt.Fprintln(out.people(), out.name("out"))
			return err
		},
	}
	cmd.Flags().StringVar(&o.Run, "run", "", "run directory")
	cmd.Flags().String("out", "", "model file to write (- is standard output)")
	cmd.Flags().StringVar(&o.Checkpoint, "checkpoint", "last", "last, best or the name of one of the run's checkpoints")
	cmd.Flags().StringVar(&o.Weights, "weights", "student", "student or teacher")
	cmd.Flags().IntVar(&o.Width, "width", 0, "of the input, px (0: of the run's evaluation images)")
	cmd.Flags().IntVar(&o.Height, "height", 0, "of the input, px")
	cmd.Flags().StringVar(&o.Input, "input", predict.InputFloat32, predict.InputFloat32+" or "+predict.InputUint8)
	cmd.Flags().StringVar(&o.Output, "output", predict.OutputLogits, predict.OutputLogits+" or "+predict.OutputLabels)
	_ = cmd.MarkFlagRequired("run") // fails only for flags that do not exist
	_ = cmd.MarkFlagRequired("out")
	return cmd
}
