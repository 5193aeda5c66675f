package learner

import (
	"context"
	"errors"
	"fmt"

	"t2sda/configs"
	"t2sda/datasets"
	"t2sda/internal/raster"
	"t2sda/internal/rng"
	"t2sda/losses"
	"t2sda/translate"
)

// maskTerm is L_M, masked image consistency (MIC, Hoyer et al., CVPR 2023,
// section 3.2): the cross-entropy on target images, strongly augmented and with blocks
// hidden, with the teacher's pseudo-labels of the whole images, weighted as L_T's target
// pixels are.
type maskTerm struct {
	l       *Learner
	augment translate.StrongAugment
	mask    translate.BlockMask
}

func maskStages(l *Learner) ([]stage, error) {
	m := &maskTerm{l, translate.DefaultStrongAugment(), translate.BlockMask{Block: l.cfg.Loss.Mask.Block, Ratio: l.cfg.Loss.Mask.Ratio}}
	stages := []stage{{Stage{"mask", "loss on target images with hidden blocks, and its gradient"}, learn, adapting, m.learn}}
	return stages, errors.Join(m.augment.Validate(), m.mask.Validate())
}

// learn adds the gradient of L_M.
func (m *maskTerm) learn(ctx context.Context, i *iteration) error {
	labels := m.labels(i.batch)
	i.step.Quality = labels.Quality
	s := m.l.supervised
	if err := labels.Encode(s.labels, s.weights); err != nil {
		return err
	}
	loss, err := s.learn(ctx, i, configs.TermMask, m.images(i.index, i.batch), labels.Denominator)
	i.step.Losses[configs.TermMask] = loss / labels.Weight
	return err
}

// images returns what the student sees of the target images of iteration it.
func (m *maskTerm) images(it int, b *datasets.Batch) []*raster.Image {
	images := m.l.augmented(m.augment, configs.TermMask, it, b)
	for i, image := range images {
		m.mask.Apply(rng.New(m.l.cfg.Seed, it, fmt.Sprintf("mask/%d", b.First+i)), image, m.l.arch.Mean)
	}
	return images
}

// augmented returns copies of a batch's target images, strongly augmented as it is drawn for a
// name and iteration it.
func (l *Learner) augmented(a translate.StrongAugment, name string, it int, b *datasets.Batch) []*raster.Image {
	images := cloned(b.Target)
	a.Draw(rng.New(l.cfg.Seed, it, name+"/augment")).Apply(images...)
	return images
}

// cloned copies images.
func cloned(images []*raster.Image) []*raster.Image {
	out := make([]*raster.Image, len(images))
	for i, m := range images {
		out[i] = m.Clone()
	}
	return out
}

// labels returns the teacher's labels of the batch's target images with their weights.
func (m *maskTerm) labels(b *datasets.Batch) *losses.Mix {
	labels := m.l.targetLabels(b, m.l.cfg.Loss.Mask.Weight)
	labels.Labels = m.l.target.pseudo
	for range labels.N {
		labels.Pasted = append(labels.Pasted, make([]bool, labels.H*labels.W)) // nothing is
	}
	return labels
}
