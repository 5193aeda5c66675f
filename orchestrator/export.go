package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"t2sda/configs"
	"t2sda/datasets"
	"t2sda/export"
)

// ExportOptions say which weights of a run become which model file.
type ExportOptions struct {
	Run           string // run directory
	Out           string // file to write
	Checkpoint    string // last, best or the name of a checkpoint
	Weights       string // student or teacher
	Width, Height int    // of the input, px; 0×0: of the run's evaluation images
	Input, Output string // see [export.ModelOptions]
	Version       string // of the program
}

// Export writes a checkpoint of a run as a deployable model. It needs no ONNX
// Runtime, and of the run's data the evaluation split only.
func Export(ctx context.Context, o ExportOptions) (err error) {
	cfg, err := configs.Load(filepath.Join(o.Run, configFile), nil)
	if err != nil {
		return err
	}
	eval, err := openDataset("data.eval", cfg.Data.Eval, cfg, true)
	if err != nil {
		return err
	}
	arch := archOf(cfg, len(eval.Space().Classes))
	s, err := newState(arch, cfg.UsesTeacher(), cfg.Train, cfg.Seed)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	dir, err := o.checkpoint()
	if err != nil {
		return err
	}
	if _, err := s.load(dir, cfg.Hash()); err != nil {
		return err
	}
	m, err := o.model(ctx, cfg, eval)
	if err != nil {
		return err
	}
	m.Arch = arch
	switch {
	case o.Weights == "student":
		return export.Write(o.Out, m, s.lookup(s.student))
	case o.Weights == "teacher" && s.teacher != nil:
		// The teacher has no running statistics of its own: METHOD's EMA moves
		// parameters only.
		return export.Write(o.Out, m, s.lookup(s.teacher))
	case o.Weights == "teacher":
		return fmt.Errorf("method %s keeps no teacher", cfg.Method)
	}
	return fmt.Errorf("weights: want student or teacher, have %q", o.Weights)
}

func (o ExportOptions) model(ctx context.Context, cfg configs.Config, eval *datasets.Dataset) (export.ModelOptions, error) {
	m := export.ModelOptions{
		Space: eval.Space(), Width: o.Width, Height: o.Height, Input: o.Input, Output: o.Output,
		Info: export.ModelInfo{
			Version: o.Version, ConfigHash: cfg.Hash(), CropW: cfg.Data.Crop.Width, CropH: cfg.Data.Crop.Height,
		},
	}
	if m.Width != 0 || m.Height != 0 {
		return m, nil
	}
	var err error
	m.Width, m.Height, err = (&data{eval: eval}).evalSize(ctx)
	return m, err
}

// checkpoint returns the directory of the checkpoint asked for.
func (o ExportOptions) checkpoint() (string, error) {
	prefix := map[string]string{"last": lastPrefix, "best": bestPrefix}[o.Checkpoint]
	if prefix == "" {
		return filepath.Join(o.Run, checkpointDir, o.Checkpoint), nil
	}
	paths, err := checkpoints(o.Run, prefix)
	if err != nil {
		return "", err
	}
	if len(paths) == 0 {
		return "", fmt.Errorf("%s holds no %s checkpoint", o.Run, o.Checkpoint)
	}
	return paths[len(paths)-1], nil
}
