package orchestrator

import (
	"fmt"
	"path/filepath"
	"slices"

	"go.uber.org/zap"

	"t2sda/graphs/nets"
	"t2sda/graphs/weights"
	"t2sda/graphs/weights/fit"
)

// initial reads what the network starts from and tells what it was.
func (t *trainer) initial(arch nets.Arch) ([]weights.Tensor, error) {
	want, err := fit.Tensors(arch)
	if err != nil {
		return nil, err
	}
	tensors, found, err := initialWeights(t.cfg.Model.Init, want)
	if err != nil {
		return nil, err
	}
	t.log.Info("read weights", zap.String("file", t.cfg.Model.Init), zap.String("names", found.Convention), zap.String("part", found.Part),
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
	return weights.Start(path, want, weights.IsEncoder, fit.Encoders)
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
