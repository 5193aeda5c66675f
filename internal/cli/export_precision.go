package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"t2sda/export/quantize"
	"t2sda/graphs/engine"
	"t2sda/orchestrator"
)

// precisionFlags choose the numbers that an exported model computes in.
type precisionFlags struct {
	o          orchestrator.PrecisionOptions
	by, target string
}

// int8Flags are the flags that mean nothing without --precision int8.
var int8Flags = []string{"calibrate-by", "int8-for", "reduce-range", "max-drop"}

func (f *precisionFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.o.Precision, "precision", orchestrator.FP32, "of weights and activations: fp32, fp16 or int8")
	flags.StringVar(&f.o.Calibrate, "calibrate", "", "folder of images that tell int8's and fp16's ranges (default: the run's target images; of a file's weights every other one, the rest is measured on)")
	flags.IntVar(&f.o.Images, "calibrate-images", 64, "how many of them at most, spread over all")
	flags.StringVar(&f.by, "calibrate-by", string(quantize.MinMax), "how int8 makes a range of an activation's values: "+strings.Join(quantize.Methods(), ", "))
	flags.StringVar(&f.target, "int8-for", string(quantize.CPU), "cpu (asymmetric uint8 activations) or gpu (int8 with zero point 0, also for TensorRT)")
	flags.BoolVar(&f.o.ReduceRange, "reduce-range", false, "int8 weights of 7 bits: for x86 CPUs without VNNI, where sums saturate")
	flags.Float64Var(&f.o.MaxDrop, "max-drop", 0.5, "mIoU points that int8 may lose on the run's evaluation split (without labels: per cent of pixels whose label may differ); layers stay in float32 until that is met")
}

// check refuses what does not fit together, before any work.
func (f *precisionFlags) check(cmd *cobra.Command) error {
	for _, name := range int8Flags {
		if cmd.Flags().Changed(name) && f.o.Precision != orchestrator.INT8 {
			return usageError{fmt.Errorf("--%s is for --precision int8", name)}
		}
	}
	if f.o.Precision == orchestrator.FP32 && (cmd.Flags().Changed("calibrate") || cmd.Flags().Changed("calibrate-images")) {
		return usageError{errors.New("--calibrate and --calibrate-images are for --precision fp16 and int8")}
	}
	f.o.By, f.o.For = quantize.Method(f.by), quantize.Target(f.target)
	if err := f.o.Validate(); err != nil {
		return usageError{err}
	}
	return nil
}

// narrow makes an exported model what was asked for, and returns what people are told of it. Float32
// stays as it is.
func (f *precisionFlags) narrow(cmd *cobra.Command, e *engine.Engine, model *orchestrator.Exported) (lines []string, err error) {
	if f.o.Precision == orchestrator.FP32 {
		return nil, nil
	}
	tell := func(line string) { fmt.Fprintln(cmd.ErrOrStderr(), line) }
	r, err := orchestrator.Narrow(cmd.Context(), e, model.Network, model.Model, f.o, tell)
	if err != nil {
		return nil, err
	}
	model.Narrow(r, f.o)
	return r.Lines(f.o), nil
}
