package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"t2sda/configs"
	"t2sda/export"
	"t2sda/export/predict"
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
// Runtime, and of the run's data the first evaluation image at most, where no
// size is given and none configured.
func Export(ctx context.Context, o ExportOptions) (err error) {
	cfg, err := o.config()
	if err != nil {
		return err
	}
	dir, err := o.checkpoint()
	if err != nil {
		return err
	}
	p, err := readProgress(dir, cfg.Hash())
	if err != nil {
		return err
	}
	m, err := o.model(ctx, cfg, p)
	if err != nil {
		return err
	}
	s, err := newState(m.Arch, cfg.UsesTeacher(), cfg.Train, cfg.Seed)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if _, err := s.load(dir, cfg.Hash()); err != nil {
		return err
	}
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

// config reads the run's configuration.
func (o ExportOptions) config() (configs.Config, error) {
	path := filepath.Join(o.Run, configFile)
	if _, err := os.Stat(path); err != nil {
		return configs.Config{}, fmt.Errorf("%s is no run directory: %w", o.Run, err)
	}
	return configs.Load(path, nil)
}

func (o ExportOptions) model(ctx context.Context, cfg configs.Config, p progress) (export.ModelOptions, error) {
	m := export.ModelOptions{
		Arch: archOf(cfg, len(p.Space.Classes)), Space: p.Space,
		Width: o.Width, Height: o.Height, Input: o.Input, Output: o.Output,
		Info: predict.ModelInfo{
			Version: o.Version, ConfigHash: cfg.Hash(), CropW: cfg.Data.Crop.Width, CropH: cfg.Data.Crop.Height,
		},
	}
	if err := m.Space.Validate(); err != nil {
		return m, fmt.Errorf("%s: space: %w", stateFile, err)
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
