package learner

import (
	"context"
	"errors"
	"fmt"

	"t2sda/graphs"
	"t2sda/graphs/engine"
	"t2sda/graphs/nets"
	"t2sda/graphs/program"
	"t2sda/internal/finite"
	"t2sda/internal/raster"
	"t2sda/losses"
)

// teacherStage is shared by all teachers of an iteration.
var teacherStage = Stage{"teacher", "labels of target images, features of labelled ones"}

// teacher is the momentum network on one batch.
type teacher struct {
	*program.Program
	name string

	image      []float32   // [B,3,H,W]
	pseudo     []uint8     // [B,H,W] arg max; nil when only features are wanted
	confidence []float32   // [B,H,W] softmax maximum; nil likewise
	features   *featureMap // [B,D,h,w] ℓ2-normalised; nil unless asked for
	regions    []float32   // [B,R,D] of the features, ℓ2-normalised; nil likewise

	kept []said // about each of several micro-batches
}

// said is what a teacher has said of a micro-batch.
type said struct {
	pseudo     []uint8
	confidence []float32
	features   []float32
	regions    []float32
}

// newTeacher builds the teacher's forward pass: pseudo-labels and confidences
// at the crop's resolution, features at the grid and of regions, as asked for. In HRDA labels
// are made with details everywhere, and features are the context's.
func newTeacher(e *engine.Engine, name string, arch nets.Arch, size imageBatch, s *state, wantLabels, wantFeatures bool, regions *losses.Regions) (*teacher, error) {
	t := &teacher{name: name}
	var err error
	t.Program, t.image, err = s.onImages(e, name, s.teacher, arch, nets.Teacher, size, func(p *program.Program, net *nets.Net, image *graphs.Value) {
		g := p.Graph()
		x := net.Normalize(image)
		levels := net.Encode(net.Context(x))
		if wantLabels {
			logits := g.Resize(net.Predict(x, levels), size.H, size.W, "linear")
			t.pseudo, t.confidence, _, _ = predicted(p, logits)
		}
		if !wantFeatures && regions == nil {
			return
		}
		features := net.Project(levels)
		if wantFeatures {
			t.features = s.keep(p, features)
		}
		if regions != nil {
			t.regions = program.Output[float32](p, "regions", regions.Pool(features))
		}
	})
	if err != nil {
		return nil, errors.Join(err, t.features.Close())
	}
	return t, nil
}

// predicted makes outputs of the labels [N,H,W] that logits [N,C,H,W] are largest at, and of
// the softmax there. It also returns the logits less the largest, and Σ exp [N,H,W] of them.
func predicted(p *program.Program, logits *graphs.Value) (labels []uint8, confidence []float32, shifted, sum *graphs.Value) {
	g := p.Graph()
	shifted = g.Sub(logits, g.ReduceMax(logits, []int{1}, true))
	sum = g.ReduceSum(g.Exp(shifted), []int{1}, false)
	confidence = program.Output[float32](p, "confidence", g.Reciprocal(sum)) // e⁰ / Σ exp
	labels = program.Output[uint8](p, "labels", g.Cast(g.ArgMax(logits, 1, false), graphs.Uint8))
	return labels, confidence, shifted, sum
}

// Close frees the session and the features.
func (t *teacher) Close() error { return errors.Join(t.Program.Close(), t.features.Close()) }

// run runs the teacher on the images of a micro-batch.
func (t *teacher) run(ctx context.Context, images []*raster.Image, micro int) error {
	fillImages(t.image, images)
	if err := t.Run(ctx); err != nil {
		return fmt.Errorf("%s: %w", t.name, err)
	}
	if t.kept == nil {
		return nil
	}
	k := &t.kept[micro]
	copy(k.pseudo, t.pseudo)
	copy(k.confidence, t.confidence)
	copy(k.regions, t.regions)
	if t.features == nil {
		return nil
	}
	return t.features.Read(k.features, 0)
}

// keep makes the teacher keep what it says of each of n micro-batches.
func (t *teacher) keep(n int) {
	t.kept = make([]said, n)
	for m := range t.kept {
		k := &t.kept[m]
		k.pseudo, k.confidence, k.regions = make([]uint8, len(t.pseudo)), make([]float32, len(t.confidence)), make([]float32, len(t.regions))
		if t.features != nil {
			k.features = make([]float32, t.features.Len())
		}
	}
}

// recall makes pseudo-labels and confidences those of a micro-batch again.
func (t *teacher) recall(micro int) {
	if t.kept != nil {
		copy(t.pseudo, t.kept[micro].pseudo)
		copy(t.confidence, t.kept[micro].confidence)
	}
}

// of returns what was said of a micro-batch.
func (t *teacher) of(micro int) said {
	if t.kept != nil {
		return t.kept[micro]
	}
	s := said{pseudo: t.pseudo, confidence: t.confidence, regions: t.regions}
	if t.features != nil {
		s.features = t.features.Host()
	}
	return s
}

// suspect is an [ErrNotFinite] where the last run gave what is no number.
func (t *teacher) suspect() error {
	ok, err := t.features.finite()
	if err != nil {
		return fmt.Errorf("%s: features: %w", t.name, err)
	}
	if ok && finite.All(t.confidence) && finite.All(t.regions) {
		return nil
	}
	return notFiniteOutput(t.name)
}
