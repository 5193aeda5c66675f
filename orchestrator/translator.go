package orchestrator

import (
	"context"
	"errors"
	"fmt"

	"go.uber.org/zap"

	"t2sda/configs"
	"t2sda/datasets"
	"t2sda/graphs/engine"
	"t2sda/internal/raster"
	"t2sda/translate"
	"t2sda/translate/neural"
)

// openTranslator builds the run's translation engine, or the mix of its
// engines. Models among them are d's to close.
func (d *data) openTranslator(ctx context.Context, cfg configs.Config, e *engine.Engine, cacheDir string, log *zap.Logger) (translate.Engine, error) {
	c := cfg.Translate
	var styles translate.Images // opened for the first engine that looks at them
	var members []translate.Member
	for _, name := range c.Engine.Names() {
		member, err := d.newMember(ctx, name, cfg, e, cacheDir, log)
		if err == nil && c.Styles != "" && looks(member) {
			if styles.Len == 0 {
				styles, err = openStyles(ctx, cfg)
			}
			if err == nil {
				member, err = translate.NewStyled(member, styles)
			}
		}
		if err != nil {
			return nil, err
		}
		members = append(members, translate.Member{Name: name, Weight: c.Engine[name], Engine: member})
	}
	return translate.NewMix(members...)
}

// looks reports whether an engine looks at a picture of the target, or of styles.
func looks(e translate.Engine) bool {
	switch e := e.(type) {
	case *translate.FDA:
		return true
	case *neural.Translator:
		return e.NeedsTarget()
	}
	return false
}

// newMember builds the engine of a name.
func (d *data) newMember(ctx context.Context, name string, cfg configs.Config, e *engine.Engine, cacheDir string, log *zap.Logger) (translate.Engine, error) {
	c := cfg.Translate
	switch name {
	case neural.Engine:
		n, err := d.keep(neural.Open(e, neural.Options{Model: c.Model, Range: c.Range}))
		if err == nil && n.NeedsTarget() && d.target == nil && c.Styles == "" {
			err = fmt.Errorf("translate.model: %s takes a reference image, and method %s has no target images: give a folder of pictures, translate.styles", c.Model, cfg.Method)
		}
		return n, err
	case neural.AdaIN:
		return d.keep(neural.OpenAdaIN(e, neural.Options{Model: c.AdaIN.Model, Range: c.AdaIN.Range}))
	}
	return d.newEngine(ctx, name, cfg, cacheDir, log)
}

// newEngine builds an engine of package translate; the camera's is fitted to the
// images of both domains first.
func (d *data) newEngine(ctx context.Context, name string, cfg configs.Config, cacheDir string, log *zap.Logger) (translate.Engine, error) {
	c := cfg.Translate
	o := translate.DefaultOptions()
	o.Engine, o.Band, o.Box, o.Asymmetric, o.Clip, o.Folder = name, c.Band, c.Box, c.Asymmetric, c.Clip, c.Folder
	w := c.Weather.Resolved()
	o.Weather = translate.Weather{Kinds: w.Kinds, SeverityMin: w.SeverityMin, SeverityMax: w.SeverityMax}
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

// openStyles opens the folder translate.styles, whose pictures' headers are read, so
// that a run does not meet most broken ones hours later.
func openStyles(ctx context.Context, cfg configs.Config) (translate.Images, error) {
	wrap := func(err error) error { return fmt.Errorf("translate.styles: %w", err) }
	d, err := datasets.OpenContext(ctx, datasets.Options{
		Root: cfg.Translate.Styles, Images: ".",
		CacheBytes: int64(cfg.Data.CacheMB) << 20, FetchedBytes: int64(cfg.Data.FetchedMB) << 20, KeepGoing: cfg.SkipsBadFiles(),
	})
	if err != nil {
		return translate.Images{}, wrap(err)
	}
	if !cfg.SkipsBadFiles() {
		for i := range d.Len() {
			if _, err := d.ReadHeader(ctx, i); err != nil {
				return translate.Images{}, wrap(fmt.Errorf("%w: mend the picture, or take it out of the folder", err))
			}
		}
	}
	return inPlace(d.Len(), cfg.SkipsBadFiles(), func(ctx context.Context, i int) (*raster.Image, error) {
		s, err := d.LoadImage(ctx, i)
		return s.Image, err
	}), nil
}

// keep notes a network to be closed.
func (d *data) keep(n *neural.Translator, err error) (*neural.Translator, error) {
	if err == nil {
		d.networks = append(d.networks, n)
	}
	return n, err
}

// close frees what the data holds besides memory. It comes after the last batch.
func (d *data) close() error {
	var errs []error
	for _, n := range d.networks {
		errs = append(errs, n.Close())
	}
	return errors.Join(errs...)
}
