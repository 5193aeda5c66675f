package learner

import (
	"cmp"
	"context"
	"errors"

	"t2sda/configs"
	"t2sda/graphs"
	"t2sda/graphs/nets"
	"t2sda/graphs/program"
	"t2sda/losses"
)

// predictionJudge is the discriminator of predictions.
type predictionJudge struct {
	*discriminator
	cfg    configs.Adversarial
	net    nets.Discriminator
	size   imageBatch
	logits []float32 // [2B,C,h,w], of source images and then of target images
}

// newPredictionJudge makes a discriminator of predictions of the given shape [B,C,h,w].
func newPredictionJudge(l *Learner, shape graphs.Shape) (*predictionJudge, error) {
	j := &predictionJudge{cfg: l.cfg.Loss.Adversarial, size: l.crops()}
	j.cfg.Input = l.cfg.AdversarialInput()
	j.net = nets.Discriminator{Channels: shape[1], Width: j.cfg.Width}
	var err error
	j.discriminator, err = newDiscriminator(l, ErrDiscriminator, j.cfg.LR, j.net.Params(), func(p *program.Program) *graphs.Value {
		logits, memory := program.Input[float32](p, "logits", 2*shape[0], shape[1], shape[2], shape[3])
		j.logits = memory
		scores := j.net.Apply(j.see(logits), ownParams(p))
		return losses.DomainLoss(scores, perImage(p.Graph(), shape[0], 1, shape[0], -1))
	})
	return j, err
}

// see returns what the discriminator looks at of predictions.
func (j *predictionJudge) see(logits *graphs.Value) *graphs.Value {
	p := losses.Probabilities(logits, j.size.H, j.size.W)
	if j.cfg.Input == configs.SeesEntropy {
		return losses.SelfInformation(p)
	}
	return p
}

// fooled returns the mean of −log of the probability that the discriminator, as it is, takes
// the images of predictions for source images, as part of another program.
func (j *predictionJudge) fooled(p *program.Program, logits *graphs.Value) *graphs.Value {
	scores := j.net.Apply(j.see(logits), j.resident(p))
	return losses.DomainLoss(scores, perImage(p.Graph(), j.size.N, 1, 0, 0))
}

// adversarialTerm is λ_adv·L_adv: the student's predictions of target images shall be such
// that a discriminator takes them for those of source images (AdaptSegNet, Tsai et al., CVPR
// 2018; AdvEnt, Vu et al., CVPR 2019). The discriminator learns in the same iteration, of the
// predictions that the student was trained with.
type adversarialTerm struct {
	*pass
	l      *Learner
	judge  *predictionJudge
	logits []float32 // [B,C,h,w], the student's of target images
}

func adversarialStages(l *Learner) ([]stage, error) {
	t := &adversarialTerm{l: l}
	var err error
	if t.judge, err = newPredictionJudge(l, l.supervised.shape); err != nil {
		return nil, err
	}
	t.pass, err = newPass(l.engine, configs.TermAdversarial, l.arch, l.crops(), l.state, func(p *program.Program, net *nets.Net, image *graphs.Value) (loss, objective *graphs.Value) {
		logits := net.Segment(net.Encode(net.Context(net.Normalize(image))))
		loss = t.judge.fooled(p, logits)
		t.logits = program.Output[float32](p, "logits", logits)
		return loss, p.Graph().Mul(loss, p.Graph().Scalar(float32(t.judge.cfg.Weight)))
	})
	if err != nil {
		return nil, err
	}
	l.own(t.pass)
	return []stage{
		{Stage{configs.TermAdversarial, "the discriminator's judgement of target images, and its gradient"}, learn, adapting, t.learn},
		{Stage{t.judge.name, "the discriminator learns to tell the domains apart"}, learn, adapting, t.teach},
	}, nil
}

// learn adds the gradient of λ_adv·L_adv.
func (t *adversarialTerm) learn(ctx context.Context, i *iteration) error {
	return t.l.learnFrom(ctx, i, t.pass, t.judge.discriminator)
}

// learnFrom runs a term's pass on target images, which a discriminator judges: its weights may
// be what is not finite in the loss.
func (l *Learner) learnFrom(ctx context.Context, i *iteration, p *pass, judge *discriminator) error {
	fillImages(p.image, i.batch.Target)
	loss, err := p.run(ctx, l.noise(i, p.name))
	if errors.Is(err, ErrNotFinite) {
		return cmp.Or(judge.check(), err)
	}
	i.step.Losses[p.name] = loss
	l.noteStatistics(i, p)
	return err
}

// teach moves the discriminator. The source's predictions are those of L_S.
func (t *adversarialTerm) teach(ctx context.Context, i *iteration) error {
	n := copy(t.judge.logits, t.l.supervised.logits)
	copy(t.judge.logits[n:], t.logits)
	return t.judge.teach(ctx, i, &t.l.cfg.Train)
}
