package orchestrator

import (
	"context"
	"errors"
	"path/filepath"

	"t2sda/export"
)

// deliver writes the trained student as a model file and fills the outcome with
// that file's score.
func (t *trainer) deliver(ctx context.Context, out *Outcome) (err error) {
	measured, err := t.score(ctx)
	if err != nil {
		return err
	}
	o, err := t.modelOptions(ctx)
	if err != nil {
		return err
	}
	miou := float64(measured.MIoU)
	o.Info.MIoU = &miou
	path := filepath.Join(t.dir, modelFile)
	if err := export.Write(path, o, t.state.lookup(t.state.student)); err != nil {
		return err
	}
	p, err := export.OpenPredictor(t.engine, path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	out.Result, err = export.Evaluate(ctx, p, t.data.eval, export.EvalOptions{Workers: t.cfg.Data.Workers})
	return err
}
