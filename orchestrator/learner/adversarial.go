package learner

import (
	"cmp"
	"context"
	"errors"

	"t2sda/configs"
	"t2sda/graphs"
	"t2sda/graphs/nets"
	"t2sda/graphs/program"
)

// adversarialTerm is λ_adv·L_adv: the student's predictions of target images shall be such
// that a discriminator takes them for those of source images (AdaptSegNet, Tsai et al., CVPR
// 2018; AdvEnt, Vu et al., CVPR 2019). The discriminator learns in the same iteration, of the
// predictions that the student was trained with.
type adversarialTerm struct {
	*pass
	l      *Learner
	logits []float32 // [B,C,h,w], the student's of target images
}

func adversarialStages(l *Learner) ([]stage, error) {
	t, size := &adversarialTerm{l: l}, l.crops()
	shape := l.supervised.shape
	d, err := newDiscriminator(l, shape)
	if err != nil {
		return nil, err
	}
	l.discriminator = d
	l.own(d)
	t.pass, err = newPass(l.engine, configs.TermAdversarial, l.arch, size, l.state, func(p *program.Program, net *nets.Net, image *graphs.Value) (loss, objective *graphs.Value) {
		logits := net.Segment(net.Encode(net.Context(net.Normalize(image))))
		loss = d.fooled(p, logits, size)
		t.logits = program.Output[float32](p, "logits", logits)
		return loss, p.Graph().Mul(loss, p.Graph().Scalar(float32(d.cfg.Weight)))
	})
	if err != nil {
		return nil, err
	}
	l.own(t.pass)
	return []stage{
		{Stage{configs.TermAdversarial, "the discriminator's judgement of target images, and its gradient"}, learn, adapting, t.learn},
		{Stage{"discriminator", "the discriminator learns to tell the domains apart"}, learn, adapting, t.teach},
	}, nil
}

// learn adds the gradient of λ_adv·L_adv.
func (t *adversarialTerm) learn(ctx context.Context, i *iteration) error {
	fillImages(t.image, i.batch.Target)
	loss, err := t.run(ctx, t.l.noise(i, configs.TermAdversarial))
	if errors.Is(err, ErrNotFinite) {
		return cmp.Or(t.l.discriminator.check(), err)
	}
	i.step.Losses[configs.TermAdversarial] = loss
	t.l.noteStatistics(i, t.pass)
	return err
}

// teach moves the discriminator. The source's predictions are those of L_S.
func (t *adversarialTerm) teach(ctx context.Context, i *iteration) error {
	d, c := t.l.discriminator, &t.l.cfg.Train
	n := copy(d.logits, t.l.supervised.logits)
	copy(d.logits[n:], t.logits)
	loss, err := d.learn(ctx, i.index-c.FirstAdapting(), d.rate(i.index, c.Phase(i.index)))
	i.step.Losses["discriminator"] = loss
	return err
}
