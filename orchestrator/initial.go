package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.uber.org/zap"

	"t2sda/configs"
	"t2sda/graphs/nets"
	"t2sda/graphs/weights"
	"t2sda/graphs/weights/fetch"
	"t2sda/graphs/weights/fit"
	"t2sda/internal/pace"
)

// start is where the weights lie that a network starts from.
type start struct {
	file string // or a name of weights in the program; empty: none are read
	temp string // folder that goes when they are read; may be empty
}

func (s *start) remove() error {
	if s.temp == "" {
		return nil
	}
	return os.RemoveAll(s.temp)
}

// findStart returns what the run in dir starts from, fetched if model.init says so. A
// run that goes on from a checkpoint, which holds every weight, reads none unless
// its loss compares with them.
func findStart(ctx context.Context, cfg configs.Config, dir string, log *zap.Logger) (*start, error) {
	saved, err := resumable(dir)
	if err != nil {
		return nil, err
	}
	resumes := len(saved) > 0
	if resumes && !cfg.UsesFeatureDistance() {
		return &start{}, nil
	}
	name, ok := strings.CutPrefix(cfg.Model.Init, configs.FetchPrefix)
	if !ok {
		return &start{file: cfg.Model.Init}, nil
	}
	s, err := fetchStart(ctx, name, log)
	if err != nil && resumes && ctx.Err() == nil {
		err = fmt.Errorf("the run goes on from its checkpoint, but loss.feature_distance compares with the weights that it began from: %w", err)
	}
	return s, err
}

// fetchStart fetches weights into the user's cache, or where that takes no files for
// this time only.
func fetchStart(ctx context.Context, name string, log *zap.Logger) (_ *start, err error) {
	o := fetch.Options{
		Say: func(line string) { log.Info("model.init: " + line) },
		Progress: func(what, units string) func(done, total int) {
			return pace.Lines("model.init: "+what, units, func(line string) { log.Info(line) })
		},
	}
	s := &start{}
	s.file, err = fetch.Fetch(ctx, name, o)
	if full := new(fetch.CacheError); !errors.As(err, &full) {
		return s, err
	}
	log.Warn("model.init is fetched for this run only: " + err.Error())
	if s.temp, err = os.MkdirTemp("", "t2sda-fetch-"); err != nil {
		return nil, err
	}
	o.Dir = s.temp
	if s.file, err = fetch.Fetch(ctx, name, o); err != nil {
		return nil, errors.Join(err, s.remove())
	}
	return s, nil
}

// initial reads what the network starts from and tells what it was.
func (t *trainer) initial(file string, arch nets.Arch) ([]weights.Tensor, error) {
	want, err := fit.Tensors(arch)
	if err != nil {
		return nil, err
	}
	tensors, found, err := initialWeights(file, want)
	if err != nil {
		return nil, err
	}
	t.log.Info("read weights", zap.String("file", file), zap.String("names", found.Convention), zap.String("part", found.Part),
		zap.Int("of another shape", len(found.Misshapen)), zap.Int("unused", len(found.Unexpected)+len(found.LeftOut)))
	return tensors, nil
}

// initialWeights reads tensors that a network wants, under our names, from weights
// that are part of the program, by name, or from a file: all of the encoder, and of
// the rest what fits. A file of a checkpoint must be what was written.
func initialWeights(path string, want []weights.Info) ([]weights.Tensor, *weights.Found, error) {
	if !slices.Contains(weights.Pretrained(), path) {
		if err := compareBeside(path); err != nil {
			return nil, nil, err
		}
	}
	return weights.Start(path, want, weights.IsRequired, fit.Encoders)
}

// compareBeside compares a file of weights with what the sums file beside it says,
// where that says anything.
func compareBeside(path string) error {
	want, err := digestBeside(path)
	if err != nil || want == "" {
		return err
	}
	f, err := openSummed(path)
	if err != nil {
		return err
	}
	have, err := f.close()
	if err == nil && have != want {
		err = fmt.Errorf("%s is damaged, or changed: %w (%s says so)", path, changedError(filepath.Base(path)), filepath.Join(filepath.Dir(path), sumsFile))
	}
	return err
}
