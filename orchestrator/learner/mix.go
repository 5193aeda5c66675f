package learner

import (
	"context"
	"fmt"
	"slices"

	"t2sda/configs"
	"t2sda/datasets"
	"t2sda/internal/raster"
	"t2sda/internal/rng"
	"t2sda/losses"
	"t2sda/translate"
)

// mixTerm is L_T: the cross-entropy on classes of source images, or of their
// translations, pasted over target images, strongly augmented, with the teacher's
// pseudo-labels and the weights they deserve (DACS, Tranheden et al., WACV 2021).
type mixTerm struct {
	l   *Learner
	cfg configs.Config

	classWeights []float64 // of the batch; nil unless DRW acts on L_T
}

func mixStages(l *Learner) ([]stage, error) {
	m := &mixTerm{l: l, cfg: l.cfg}
	stages := []stage{{Stage{"mix", "loss on mixed target images, and its gradient"}, learn, adapting, m.learn}}
	if l.cfg.Loss.DRW == string(losses.ReweightMix) {
		m.classWeights = make([]float64, l.arch.Classes)
		stages = append(stages, stage{planStage, plan, adapting, m.weigh})
	}
	return stages, nil
}

// learn adds the gradient of L_T.
func (m *mixTerm) learn(ctx context.Context, i *iteration) error {
	images, mix, err := m.mix(i)
	if err != nil {
		return err
	}
	i.step.Quality = mix.Quality
	if mix.ClassWeights != nil {
		i.step.Weights = slices.Clone(mix.ClassWeights)
	}
	s := m.l.supervised
	if err := mix.Encode(s.labels, s.weights); err != nil {
		return err
	}
	loss, err := s.learn(ctx, i, configs.TermMix, images, mix.Denominator)
	i.step.Losses[configs.TermMix] = loss / mix.Weight
	return err
}

// mix returns the micro-batch's mixed images, together with their labels and weights.
func (m *mixTerm) mix(i *iteration) ([]*raster.Image, *losses.Mix, error) {
	mix := m.l.targetLabels(i.batch, m.cfg.Loss.MixWeight)
	mix.ClassWeights = m.classWeights
	x, err := m.l.classMix(i, i.micro)
	if err != nil {
		return nil, nil, err
	}
	mix.Labels, mix.Pasted = x.labels, x.pasted
	return x.images, mix, nil
}

// mixed are target images that classes of source images are pasted over, strongly augmented.
type mixed struct {
	images []*raster.Image
	labels []uint8  // [B,H,W]
	pasted [][]bool // [B][H·W]
}

// mixing is a micro-batch's mixed images, which are being drawn until done is closed.
type mixing struct {
	done chan struct{}
	mixed
	err error
}

// mixes reports whether a term looks at mixed images.
func (l *Learner) mixes() bool {
	return l.cfg.Trains(configs.TermMix) || l.cfg.Trains(configs.TermRegions)
}

// mixAhead begins to draw a micro-batch's mixed images, from the batch and from what the teacher has
// said of its target images: while sessions run, which leave cores to others now and then.
func (l *Learner) mixAhead(i *iteration, micro int) {
	if i.mixed == nil {
		i.mixed = make([]*mixing, l.micros.mine)
	}
	m := &mixing{done: make(chan struct{})}
	i.mixed[micro] = m
	batch, pseudo := i.batches[micro], l.target.of(micro).pseudo
	i.background.Go(func() {
		defer close(m.done)
		m.mixed, m.err = l.drawMix(i.index, batch, pseudo)
	})
}

// classMix returns a micro-batch's mixed images.
func (l *Learner) classMix(i *iteration, micro int) (mixed, error) {
	m := i.mixed[micro]
	<-m.done
	return m.mixed, m.err
}

// drawMix draws iteration it's mixed images of a batch with pseudo-labels [B,H,W].
func (l *Learner) drawMix(it int, b *datasets.Batch, pseudo []uint8) (mixed, error) {
	var m mixed
	pasteFrom := b.Source
	if l.cfg.MixDomain() == configs.DomainPseudo {
		pasteFrom = b.Pseudo
	}
	for i, target := range b.Target {
		r, own := rng.New(l.cfg.Seed, it, fmt.Sprintf("classmix/%d", b.First+i)), raster.NewLabels(target.W, target.H)
		pseudo = pseudo[copy(own.Pix, pseudo):]
		image, labels, pasted, err := translate.ClassMix(r, pasteFrom[i], b.SourceLabels[i], target, own)
		if err != nil {
			return mixed{}, fmt.Errorf("mixing %s into %s: %w", b.SourceIDs[i], b.TargetIDs[i], err)
		}
		m.images, m.labels, m.pasted = append(m.images, image), append(m.labels, labels.Pix...), append(m.pasted, pasted)
	}
	translate.DefaultStrongAugment().Draw(rng.New(l.cfg.Seed, it, "augment")).Apply(m.images...)
	return m, nil
}

// weigh makes the class weights.
func (m *mixTerm) weigh(_ context.Context, i *iteration) error {
	return m.l.classWeights(m.classWeights, i)
}

// targetLabels describes the batch's target images for losses on the teacher's labels,
// which are yet to be filled in: how much each image's labels count, and which rows not.
func (l *Learner) targetLabels(b *datasets.Batch, weight float64) *losses.Mix {
	c, h := l.cfg.Loss, b.Target[0].H
	m := &losses.Mix{
		N: len(b.Target), H: h, W: b.Target[0].W, Classes: l.arch.Classes, Denominator: losses.AllPixels, Pixels: l.micros.all * len(b.Target) * h * b.Target[0].W, Weight: weight,
		Quality: make([]float64, len(b.Target)),
	}
	if c.Quality != "batch" {
		losses.Quality(m.Quality, l.target.confidence, float32(c.Delta))
	} else {
		for n := range m.Quality {
			m.Quality[n] = l.quality // as in DAFormer's code
		}
	}
	m.Rims = l.rims(b)
	return m
}

// rims returns the rim of each of a batch's target crops.
func (l *Learner) rims(b *datasets.Batch) []losses.Rim {
	c, out := l.cfg.Loss, make([]losses.Rim, len(b.TargetRows))
	for n, rows := range b.TargetRows {
		out[n] = losses.CropRim(rows.From, b.Target[n].H, rows.Of, c.IgnoreTop, c.IgnoreBottom)
	}
	return out
}
