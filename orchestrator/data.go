package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"

	"go.uber.org/zap"

	"t2sda/configs"
	"t2sda/datasets"
	"t2sda/graphs/engine"
	"t2sda/internal/ranks"
	"t2sda/internal/raster"
	"t2sda/translate"
	"t2sda/translate/neural"
)

// data is what a run reads: the loader of training batches and the split that
// the student is scored on.
type data struct {
	space  datasets.Space
	loader *datasets.Loader
	source *datasets.Dataset // labelled training images; of the target domain for the oracle
	target *datasets.Dataset // nil for methods that see no target images
	eval   *datasets.Dataset

	networks []*neural.Translator // that translate images
	told     sync.Once            // see unkept
	ranks    *ranks.Group         // that read the same data, each its share of a batch
	began    inputs               // what draws depend on, as of the run's beginning
}

// openData opens the data sets of cfg and counts class statistics where rare
// class sampling needs them (cached in cacheDir). A run in dir (empty: none) that
// passes over bad files goes on with what it began with, see [inputs]. A network
// that translates images runs on e. Of ranks g, which must find the same images, the first
// counts and measures. Who opens data closes it, before e.
func openData(ctx context.Context, cfg configs.Config, dir string, e *engine.Engine, cacheDir string, log *zap.Logger, g *ranks.Group) (_ *data, err error) {
	d := &data{ranks: g}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.close())
		}
	}()
	resumed, err := d.openSets(ctx, cfg, dir, log)
	if err := g.Agree(err); err != nil {
		return nil, err
	}
	if err := d.sameData(g); err != nil {
		return nil, err
	}
	if err := d.openLoaders(ctx, cfg, e, cacheDir, log); err != nil || resumed {
		return d, err
	}
	if err := g.Agree(d.checkLabels(ctx, cfg)); err != nil {
		return nil, err
	}
	d.noteInputs(cfg)
	return d, nil
}

// openLoaders opens the loader of each rank, with what the first one has counted and
// measured for it.
func (d *data) openLoaders(ctx context.Context, cfg configs.Config, e *engine.Engine, cacheDir string, log *zap.Logger) error {
	open := func() error { return d.openLoader(ctx, cfg, e, cacheDir, log) }
	if err := leaderOnly(d.ranks, open); err != nil || d.ranks.Size() == 1 {
		return err
	}
	err := d.shareBegan(d.ranks)
	if err == nil && !d.ranks.Leads() {
		err = open()
	}
	return d.ranks.Agree(err)
}

// openSets opens the data sets. resumed: they are those that the run in dir began with.
func (d *data) openSets(ctx context.Context, cfg configs.Config, dir string, log *zap.Logger) (resumed bool, err error) {
	disk, err := openCache(cfg, log)
	if err != nil {
		return false, err
	}
	began, err := readInputs(cfg, dir)
	if err != nil {
		return false, err
	}
	name, labelled := "data.source", cfg.Data.Source
	if cfg.LabelsTarget() {
		name, labelled = "data.target", cfg.Data.Target
	}
	if d.source, err = openDataset(ctx, name, labelled, cfg, disk, began == nil); err != nil {
		return false, err
	}
	if d.eval, err = openDataset(ctx, "data.eval", cfg.Data.Eval, cfg, disk, began == nil); err != nil {
		return false, err
	}
	d.space = d.source.Space()
	if !d.space.Equal(d.eval.Space()) {
		return false, fmt.Errorf("%s.map and data.eval.map lead to different classes: %v and %v", name, d.space.Names(), d.eval.Space().Names())
	}
	if cfg.UsesTarget() {
		if d.target, err = openDataset(ctx, "data.target", cfg.Data.Target, cfg, disk, false); err != nil {
			return false, err
		}
	}
	d.tellPassedOver(log)
	if began != nil {
		if err := d.resume(began); err != nil {
			return false, fmt.Errorf("%s: %w", filepath.Join(dir, recordFile), err)
		}
	}
	if disk != nil {
		if err := d.announceCache(cfg.Data.Cache, cfg.SkipsBadFiles(), log); err != nil {
			return false, err
		}
	}
	return began != nil, nil
}

// checkLabels refuses an evaluation split all of whose labels are void, as those of Cityscapes' test
// split are: hours later there would be no score. As a rule it looks at a single one.
func (d *data) checkLabels(ctx context.Context, cfg configs.Config) error {
	for i := range d.eval.Len() {
		l, err := d.eval.LoadLabels(ctx, i)
		if err != nil {
			return ctx.Err() // of damaged files, evaluation tells
		}
		if slices.ContainsFunc(l.Pix, func(id uint8) bool { return id != raster.Void }) {
			return nil
		}
	}
	return fmt.Errorf("data.eval: the labels of all %d images of split %q are void, so that nothing can be scored: choose another one (data.eval.split)", d.eval.Len(), cfg.Data.Eval.Split)
}

// resume goes on with the files that a run began with.
func (d *data) resume(began *inputs) error {
	if len(began.Source) == 0 || len(began.Eval) == 0 || d.target != nil && len(began.Target) == 0 {
		return errors.New("it lists no files of one of the run's data sets: damaged, or changed by hand")
	}
	d.began = *began
	d.source, d.eval = d.source.With(began.Source), d.eval.With(began.Eval)
	if d.target != nil {
		d.target = d.target.With(began.Target)
	}
	if began.Stats == nil {
		return nil
	}
	return d.source.CheckStats(began.Stats)
}

// tellPassedOver tells of the files in the data sets' folders that count as
// nothing.
func (d *data) tellPassedOver(log *zap.Logger) {
	for _, set := range []*datasets.Dataset{d.source, d.target, d.eval} {
		if set == nil {
			continue
		}
		if text := datasets.Passed(set.PassedOver()); text != "" {
			log.Warn(text, zap.String("data", set.Place()))
		}
	}
}

// announceCache says how much the disk cache may come to hold of this run.
func (d *data) announceCache(folder string, skips bool, log *zap.Logger) error {
	total := int64(0)
	for _, set := range []*datasets.Dataset{d.source, d.target, d.eval} {
		if set == nil {
			continue
		}
		n, err := set.DecodedBytes()
		if err != nil && !skips {
			return err
		}
		total += n
	}
	log.Info("decoded images are kept on disk", zap.String("folder", folder), zap.String("at most", fmt.Sprintf("%.1f GB", float64(total)/1e9)))
	return nil
}

// openCache opens the run's disk cache, nil without one. What goes wrong with it
// later is a warning: the run does not need it.
func openCache(cfg configs.Config, log *zap.Logger) (*datasets.DiskCache, error) {
	if cfg.Data.Cache == "" {
		return nil, nil
	}
	c, err := datasets.OpenDiskCache(cfg.Data.Cache, func(err error) { log.Warn(err.Error()) })
	if err != nil {
		return nil, fmt.Errorf("data.cache: %w", err)
	}
	return c, nil
}

func openDataset(ctx context.Context, field string, c configs.Dataset, cfg configs.Config, disk *datasets.DiskCache, labelled bool) (*datasets.Dataset, error) {
	o := datasets.Options{
		Layout: c.Layout, Root: c.Root, Split: c.Split, Images: c.Images, Labels: c.Labels,
		ImageSuffix: c.ImageSuffix, LabelSuffix: c.LabelSuffix, Map: c.Map, Channel: c.Channel, List: c.List,
		Include: c.Include, Exclude: c.Exclude, Width: c.Resize.Width, Height: c.Resize.Height,
		RequireLabels: labelled, CacheBytes: int64(cfg.Data.CacheMB) << 20, Disk: disk, FetchedBytes: int64(cfg.Data.FetchedMB) << 20, KeepGoing: cfg.SkipsBadFiles(),
	}
	d, err := datasets.OpenContext(ctx, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", field, err)
	}
	if d.Len() == 0 {
		return nil, fmt.Errorf("%s: %s has no images", field, c.Root)
	}
	return d, nil
}

func (d *data) openLoader(ctx context.Context, cfg configs.Config, e *engine.Engine, cacheDir string, log *zap.Logger) error {
	o := datasets.LoaderOptions{
		Seed: cfg.Seed, Batch: cfg.Train.Batch, Source: d.source, Target: d.target,
		CropW: cfg.Data.Crop.Width, CropH: cfg.Data.Crop.Height,
		Flip: cfg.Data.Flip, CatMaxRatio: cfg.Data.CatMaxRatio,
		Workers: cfg.Data.Workers, Prefetch: cfg.Data.Prefetch, SkipBadFiles: cfg.SkipsBadFiles(),
	}
	o.Share.From, o.Share.To = d.ranks.Share(cfg.Train.MicroBatches())
	if cfg.UsesPseudo() {
		var err error
		if o.Translate, err = d.openTranslator(ctx, cfg, e, cacheDir, log); err != nil {
			return err
		}
	}
	if cfg.Data.Augment > 0 {
		o.Augment = translate.DefaultStrongAugment().Scaled(cfg.Data.Augment)
	}
	if cfg.Data.RCS.Enabled {
		stats, err := d.classStats(ctx, cfg, cacheDir, log)
		if err != nil {
			return err
		}
		var empty *datasets.EmptyClassError
		if err := stats.CheckClasses(); errors.As(err, &empty) {
			log.Warn(err.Error())
		}
		c := cfg.Data.RCS
		o.RCS = &datasets.RCSOptions{Stats: stats, Temperature: c.Temperature, MinPixels: c.MinPixels, MinCropRatio: c.MinCropRatio}
	}
	var err error
	if d.loader, err = datasets.NewLoader(o); err != nil {
		return err
	}
	if rcs := d.loader.RCS(); rcs != nil {
		for _, w := range rcs.Warnings {
			log.Warn(w)
		}
	}
	return nil
}

// classStats counts the classes of the labels, unless the run has begun with
// counts.
func (d *data) classStats(ctx context.Context, cfg configs.Config, cacheDir string, log *zap.Logger) (*datasets.Stats, error) {
	if d.began.Stats != nil {
		return d.began.Stats, nil
	}
	stats, err := d.source.Stats(ctx, cfg.Data.Workers, cacheDir, func(done, total int) {
		if done == 1 { // not in the cache
			log.Info("counting the classes of the label files, once for these files", zap.Int("files", total))
		}
	}, logged(log, "counting the classes"))
	if err != nil {
		return nil, err
	}
	d.unkept(log, stats.Unkept)
	d.began.Stats = stats
	return stats, nil
}

// evalSize is the size at which the student is scored and exported: that of the
// evaluation images as they are resized, or else of the first image.
func (d *data) evalSize(ctx context.Context, skips bool) (w, h int, err error) {
	if w, h := d.eval.Size(); w > 0 {
		return w, h, nil
	}
	for i := range d.eval.Len() {
		s, loadErr := d.eval.Load(ctx, i)
		if loadErr == nil {
			return s.Image.W, s.Image.H, nil
		}
		if err == nil {
			err = loadErr
		}
		if !skips || ctx.Err() != nil {
			break
		}
	}
	return 0, 0, err
}
