package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"go.uber.org/zap"

	"t2sda/configs"
	"t2sda/datasets"
	"t2sda/internal/atomicfile"
	"t2sda/internal/raster"
	"t2sda/translate"
)

// usesCamera reports whether a model of the target's camera is needed.
func usesCamera(cfg configs.Config) bool {
	return cfg.UsesPseudo() && cfg.Translate.Engine.Use(translate.EngineCamera)
}

// cameraModel compares the appearance of source and target. The result is kept
// in cacheDir (empty: nowhere) under a name made of everything it depends on.
// A folder that cannot be read or written costs time only.
func (d *data) cameraModel(ctx context.Context, cfg configs.Config, cacheDir string, log *zap.Logger) (*translate.CameraModel, error) {
	if d.target == nil {
		return nil, errors.New("translate.engine: camera needs target images to measure")
	}
	if d.began.Camera != nil {
		return d.began.Camera, nil
	}
	m, err := d.fitCamera(ctx, cfg, cacheDir, log)
	d.began.Camera = m
	return m, err
}

func (d *data) fitCamera(ctx context.Context, cfg configs.Config, cacheDir string, log *zap.Logger) (*translate.CameraModel, error) {
	file := ""
	if cacheDir != "" {
		key, err := d.cameraKey(cfg)
		if err != nil && !cfg.SkipsBadFiles() {
			return nil, err
		}
		if err == nil {
			file = filepath.Join(cacheDir, "camera-"+key+".json")
			if m := readCamera(file); m != nil {
				return m, nil
			}
		}
	}
	o := translate.MeasureOptions{Images: cfg.Translate.Camera.Images, Workers: cfg.Data.Workers}
	log.Info("measuring the appearance of both domains, once for these images", zap.Int("images of each at most", o.Images))
	m, err := translate.FitCamera(ctx, imagesOf(d.source, cfg.SkipsBadFiles()), imagesOf(d.target, cfg.SkipsBadFiles()), o)
	if err != nil {
		return nil, fmt.Errorf("translate.engine: camera: %w", err)
	}
	// Of files that were passed over, the next run may know nothing.
	if file != "" && !cfg.SkipsBadFiles() {
		d.unkept(log, keepCamera(file, m))
	}
	return m, nil
}

// keepCamera writes a model for the runs to come.
func keepCamera(file string, m *translate.CameraModel) error {
	err := os.MkdirAll(filepath.Dir(file), 0o755)
	if err == nil {
		err = atomicfile.WriteJSON(file, m)
	}
	if err != nil {
		return fmt.Errorf("the model of the camera is not kept for the next time: %w", err)
	}
	return nil
}

func (d *data) cameraKey(cfg configs.Config) (string, error) {
	source, err := d.source.ImagesKey()
	if err != nil {
		return "", err
	}
	target, err := d.target.ImagesKey()
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("v%d-%d-%s-%s", translate.CameraVersion, cfg.Translate.Camera.Images, source[:16], target[:16]), nil
}

// readCamera returns a kept model, nil when there is none that can be used: a
// damaged file is fitted anew, not reported.
func readCamera(file string) *translate.CameraModel {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	m := new(translate.CameraModel)
	if json.Unmarshal(text, m) != nil {
		return nil
	}
	if _, err := translate.NewCamera(m, translate.CameraOptions{}); err != nil {
		return nil
	}
	return m
}

// imagesOf lets the camera see a data set, with the next image in place of one
// that cannot be read where those are skipped.
func imagesOf(d *datasets.Dataset, skips bool) translate.Images {
	return translate.Images{Len: d.Len(), Load: func(ctx context.Context, i int) (*raster.Image, error) {
		s, err := d.LoadImage(ctx, i)
		for n := 1; err != nil && skips && ctx.Err() == nil && n < d.Len(); n++ {
			s, err = d.LoadImage(ctx, (i+n)%d.Len())
		}
		return s.Image, err
	}}
}
