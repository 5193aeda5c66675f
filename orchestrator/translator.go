package orchestrator

import (
	"context"
	"fmt"

	"go.uber.org/zap"

	"t2sda/configs"
	"t2sda/graphs/engine"
	"t2sda/translate"
	"t2sda/translate/neural"
)

// openTranslator builds the run's translation engine, or the mix of its
// engines. A model among them is d's to close.
func (d *data) openTranslator(ctx context.Context, cfg configs.Config, e *engine.Engine, cacheDir string, log *zap.Logger) (translate.Engine, error) {
	c := cfg.Translate
	var members []translate.Member
	for _, name := range c.Engine.Names() {
		var member translate.Engine
		var err error
		if name == neural.Engine {
			member, err = d.openNetwork(cfg, e)
		} else {
			member, err = d.newEngine(ctx, name, cfg, cacheDir, log)
		}
		if err != nil {
			return nil, err
		}
		members = append(members, translate.Member{Name: name, Weight: c.Engine[name], Engine: member})
	}
	return translate.NewMix(members...)
}

// newEngine builds an engine of package translate; the camera's is fitted to the
// images of both domains first.
func (d *data) newEngine(ctx context.Context, name string, cfg configs.Config, cacheDir string, log *zap.Logger) (translate.Engine, error) {
	c := cfg.Translate
	o := translate.DefaultOptions()
	o.Engine, o.Band, o.Box, o.Asymmetric, o.Clip, o.Folder = name, c.Band, c.Box, c.Asymmetric, c.Clip, c.Folder
	if name == translate.EngineCamera {
		model, err := d.cameraModel(ctx, cfg, cacheDir, log)
		if err != nil {
			return nil, err
		}
		o.Model = model
		o.Camera = translate.CameraOptions{Exposure: c.Camera.Exposure, Cast: c.Camera.Cast, Strength: c.Camera.Strength}
	}
	return translate.New(o)
}

func (d *data) openNetwork(cfg configs.Config, e *engine.Engine) (_ translate.Engine, err error) {
	c := cfg.Translate
	if d.network, err = neural.Open(e, neural.Options{Model: c.Model, Range: c.Range}); err != nil {
		return nil, err
	}
	if d.network.NeedsTarget() && d.target == nil {
		return nil, fmt.Errorf("translate.model: %s takes a reference image, and method %s has no target images", c.Model, cfg.Method)
	}
	return d.network, nil
}

// close frees what the data holds besides memory. It comes after the last batch.
func (d *data) close() error {
	if d.network == nil {
		return nil
	}
	return d.network.Close()
}
