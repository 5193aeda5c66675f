package orchestrator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"

	"go.uber.org/zap"

	"t2sda/configs"
	"t2sda/datasets"
	"t2sda/internal/raster"
	"t2sda/internal/sealed"
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
	var bad faults
	skips := cfg.SkipsBadFiles()
	m, err := translate.FitCamera(ctx, measurable(d.source, skips, bad.add), measurable(d.target, skips, bad.add), o)
	if err != nil {
		return nil, fmt.Errorf("translate.engine: camera: %w", err)
	}
	d.began.Faults = append(d.began.Faults, bad.sorted()...)
	// Of files that were passed over, the next run may know nothing.
	if file != "" && !skips {
		d.unkept(log, keepCamera(file, m))
	}
	return m, nil
}

// keepCamera writes a model for the runs to come.
func keepCamera(file string, m *translate.CameraModel) error {
	if err := sealed.Write(file, m); err != nil {
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
	m := new(translate.CameraModel)
	if sealed.Read(file, m) != nil {
		return nil
	}
	if _, err := translate.NewCamera(m, translate.CameraOptions{}); err != nil {
		return nil
	}
	return m
}

// measurable are images to be measured, with the next one in place of one that cannot be read, or is too
// small for it, where those are skipped. fault, which may be nil, is told of it, by several goroutines.
func measurable(d *datasets.Dataset, skips bool, fault func(datasets.Fault)) translate.Images {
	return inPlace(d.Len(), skips, func(ctx context.Context, i int) (*raster.Image, error) {
		s, err := d.LoadImage(ctx, i)
		if err == nil {
			if err = translate.CheckMeasured(s.Image); err != nil {
				err = fmt.Errorf("%s: %w", d.Item(i).Image, err)
			}
		}
		if err != nil && skips && fault != nil && ctx.Err() == nil {
			fault(datasets.Fault{File: d.Item(i).Image, Error: err.Error()})
		}
		return s.Image, err
	})
}

// inPlace are n images of which, with skips, the next one stands for one that
// cannot be read.
func inPlace(n int, skips bool, load func(ctx context.Context, i int) (*raster.Image, error)) translate.Images {
	return translate.Images{Len: n, Load: func(ctx context.Context, i int) (*raster.Image, error) {
		img, err := load(ctx, i)
		for k := 1; err != nil && skips && ctx.Err() == nil && k < n; k++ {
			img, err = load(ctx, (i+k)%n)
		}
		return img, err
	}}
}

// faults collects what several goroutines could not read.
type faults struct {
	mu  sync.Mutex
	all []datasets.Fault
}

func (f *faults) add(one datasets.Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !slices.Contains(f.all, one) {
		f.all = append(f.all, one)
	}
}

// sorted lists them in an order that does not depend on who came first.
func (f *faults) sorted() []datasets.Fault {
	slices.SortFunc(f.all, func(a, b datasets.Fault) int { return cmp.Compare(a.File, b.File) })
	return f.all
}
