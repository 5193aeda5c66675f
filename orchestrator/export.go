package orchestrator

import (
	"context"
	"fmt"

	"t2sda/export"
	"t2sda/export/predict"
)

// ExportOptions say which weights of a run become which model file.
type ExportOptions struct {
	Run           string      // run directory
	Checkpoint    string      // last, best or the name of a checkpoint
	Weights       string      // [Student] or [Teacher]
	Width, Height int         // of the input, px; 0×0: of the run's evaluation images
	Input, Output string      // see [export.ModelOptions]
	Version       string      // of the program
	Warn          func(error) // of what does not keep the model from being made; may be nil
}

// Export returns a checkpoint of a run as a deployable model. It needs no ONNX
// Runtime, and of the run's data the first evaluation image at most, where no
// size is given and none configured.
func Export(ctx context.Context, o ExportOptions) ([]byte, error) {
	n, err := OpenNetwork(o.Run, o.Checkpoint, o.Weights)
	if err != nil {
		return nil, err
	}
	if n.Unverified != nil && o.Warn != nil {
		o.Warn(n.Unverified)
	}
	m, err := o.model(ctx, n)
	if err != nil {
		return nil, err
	}
	return export.Build(m, n.Lookup)
}

func (o ExportOptions) model(ctx context.Context, n *Network) (export.ModelOptions, error) {
	cfg := n.Config
	m := export.ModelOptions{
		Arch: n.Arch, Space: n.Space,
		Width: o.Width, Height: o.Height, Input: o.Input, Output: o.Output,
		Info: predict.ModelInfo{
			Version: o.Version, ConfigHash: cfg.Hash(), CropW: cfg.Data.Crop.Width, CropH: cfg.Data.Crop.Height,
		},
	}
	if m.Width == 0 && m.Height == 0 {
		m.Width, m.Height = cfg.Data.Eval.Resize.Width, cfg.Data.Eval.Resize.Height
	}
	if m.Width != 0 || m.Height != 0 {
		return m, nil
	}
	eval, err := openDataset("data.eval", cfg.Data.Eval, cfg, nil, false)
	if err != nil {
		return m, fmt.Errorf("the model's size is that of the evaluation images unless width and height are given: %w", err)
	}
	m.Width, m.Height, err = (&data{eval: eval}).evalSize(ctx, cfg.SkipsBadFiles())
	return m, err
}
