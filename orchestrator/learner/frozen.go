package learner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.uber.org/zap"

	"t2sda/configs"
	"t2sda/datasets"
	"t2sda/graphs"
	"t2sda/graphs/engine"
	"t2sda/graphs/nets"
	"t2sda/graphs/program"
	"t2sda/internal/raster"
	"t2sda/losses"
)

// frozen is the encoder as it was before the first iteration, and what the
// supervised term needs to stay near its features of things (DAFormer's feature
// distance): its features of L_S's images, and one weight per position. In L_T's
// run of that term all weights are 0.
type frozen struct {
	*program.Program
	encoder engine.Arena // its parameters: the first of the state's arenas

	cfg    configs.FeatureDistance
	things losses.Things
	size   imageBatch

	image    []float32   // [B,3,H,W]
	features *featureMap // [B,D,h,w], the encoder's last level
	weights  []float32   // [B,h,w], over their number; 0 where no thing is
	distance []float32   // one element: the supervised term's mean distance
}

// newFrozen copies the state's encoder, which must hold the weights that
// training starts from: a resumed run builds it before it reads the checkpoint.
// It returns nil when the term is off, with a warning when only model.init is
// missing.
func newFrozen(e *engine.Engine, c configs.Config, arch nets.Arch, size imageBatch, s *state, space datasets.Space, log *zap.Logger) (*frozen, error) {
	if !c.UsesFeatureDistance() {
		return nil, nil
	}
	if c.Model.Init == "" {
		log.Warn("loss.feature_distance is off: model.init is empty, and random weights have no features to stay near")
		return nil, nil
	}
	f := &frozen{cfg: c.Loss.FeatureDistance, size: size}
	var err error
	f.things.Ratio = f.cfg.Ratio
	if f.things.Classes, err = thingsOf(space, f.cfg.Classes); err != nil {
		return nil, err
	}
	if f.encoder, err = s.copyEncoder(); err != nil {
		return nil, err
	}
	f.Program, f.image, err = s.onImages(e, "frozen", f.encoder, arch, nets.Teacher, size, func(p *program.Program, net *nets.Net, image *graphs.Value) {
		levels := net.Encode(net.Context(net.Normalize(image)))
		f.features = s.keep(p, levels[len(levels)-1])
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("frozen encoder: %w", err), f.features.Close(), f.encoder.Close())
	}
	return f, nil
}

// thingsOf marks the classes of those names.
func thingsOf(space datasets.Space, names []string) ([]bool, error) {
	things, have := make([]bool, len(space.Classes)), space.Names()
	for _, name := range names {
		i := slices.Index(have, name)
		if i < 0 {
			return nil, fmt.Errorf("loss.feature_distance.classes: the data has no class %q, only %s", name, strings.Join(have, ", "))
		}
		things[i] = true
	}
	return things, nil
}

// Close frees the session, the features and the encoder.
func (f *frozen) Close() error {
	return errors.Join(f.Program.Close(), f.features.Close(), f.encoder.Close())
}

// distanceOf adds the mean distance of the student's features to the supervised
// pass, as an output, and returns what it adds to the objective.
func (f *frozen) distanceOf(p *program.Program, levels []*graphs.Value) *graphs.Value {
	g := p.Graph()
	features := p.Resident("fd/features", f.features.tensor())
	weights, memory := program.Input[float32](p, "fd/weights", f.features.N, f.features.H, f.features.W)
	d := losses.FeatureDistance(levels[len(levels)-1], features, weights)
	f.weights, f.distance = memory, program.Output[float32](p, "feature_distance", d)
	return g.Mul(d, g.Scalar(float32(f.cfg.Weight)))
}

// weigh sets the weights of the labelled images' positions, a mean over the number of of
// them (0: those of the images), and returns how many positions of the images count.
func (f *frozen) weigh(labels []uint8, of int) (int, error) {
	return f.things.Weigh(f.weights, labels, f.size.N, f.size.H, f.size.W, f.features.H, f.features.W, of)
}

// run prepares the supervised term's next run: which positions of the labelled
// images count, and what they should resemble.
func (f *frozen) run(ctx context.Context, images []*raster.Image, labels []uint8, of int) error {
	count, err := f.weigh(labels, of)
	if err != nil || count == 0 {
		return err
	}
	fillImages(f.image, images)
	if err := f.Program.Run(ctx); err != nil {
		return fmt.Errorf("frozen encoder: %w", err)
	}
	return nil
}

// take returns the mean distance over the positions that counted in the
// supervised term's last run, 0 where none did, and makes the next run's weights
// 0.
func (f *frozen) take() float64 {
	clear(f.weights)
	return float64(f.distance[0])
}
