package learner

import (
	"context"

	"t2sda/configs"
	"t2sda/graphs"
	"t2sda/graphs/nets"
	"t2sda/graphs/program"
	"t2sda/losses"
)

// classJudge is the discriminator of features, class by class.
type classJudge struct {
	*discriminator
	cfg      configs.ClassAdversarial
	net      nets.PixelDiscriminator
	size     imageBatch
	features []float32 // [2B,D,h,w], what the classifier reads of source images and then of target images
	logits   []float32 // [2B,C,h,w], likewise what it makes of them
}

// newClassJudge makes a discriminator of features and predictions of the given shapes.
func newClassJudge(l *Learner, features, logits graphs.Shape) (*classJudge, error) {
	j := &classJudge{cfg: l.cfg.Loss.ClassAdversarial, size: l.crops()}
	j.net = nets.PixelDiscriminator{Channels: features[1], Width: j.cfg.Width, Classes: logits[1]}
	var err error
	j.discriminator, err = newDiscriminator(l, ErrClassDiscriminator, j.cfg.LR, j.net.Params(), func(p *program.Program) *graphs.Value {
		x, featureMemory := program.Input[float32](p, "features", 2*features[0], features[1], features[2], features[3])
		y, logitMemory := program.Input[float32](p, "logits", 2*logits[0], logits[1], logits[2], logits[3])
		j.features, j.logits = featureMemory, logitMemory
		scores := j.net.Apply(x, ownParams(p))
		return losses.ClassDomainLoss(scores, j.labels(y), j.domains(p.Graph(), logits[0], logits[0]), j.size.H, j.size.W)
	})
	return j, err
}

// labels are the soft labels of predictions.
func (j *classJudge) labels(logits *graphs.Value) *graphs.Value {
	return losses.SoftLabels(logits, j.size.H, j.size.W, float32(j.cfg.Temperature), float32(j.cfg.Ceiling))
}

// domains says of each of so many images whose classes its labels are.
func (j *classJudge) domains(g *graphs.Graph, sources, targets int) *graphs.Value {
	return g.Reshape(perImage(g, sources, 1, targets, 0), sources+targets, 1, 1)
}

// fooled returns the discriminator's cross-entropy, as it is, with each pixel's class in the
// source, as part of another program.
func (j *classJudge) fooled(p *program.Program, features, logits *graphs.Value) *graphs.Value {
	scores := j.net.Apply(features, j.resident(p))
	return losses.ClassDomainLoss(scores, j.labels(logits), j.domains(p.Graph(), j.size.N, 0), j.size.H, j.size.W)
}

// classAdversarialTerm is λ_adv·L_cadv: the discriminator shall take the student's features of
// target images for features of their class in source images (FADA, Wang et al., ECCV 2020).
// As the adversarial term's, it learns in the same iteration.
type classAdversarialTerm struct {
	*pass
	l        *Learner
	judge    *classJudge
	features []float32 // [B,D,h,w], the student's of target images
	logits   []float32 // [B,C,h,w]
}

func classAdversarialStages(l *Learner) ([]stage, error) {
	t := &classAdversarialTerm{l: l}
	var err error
	if t.judge, err = newClassJudge(l, l.supervised.decoded, l.supervised.shape); err != nil {
		return nil, err
	}
	t.pass, err = newPass(l.engine, configs.TermClassAdversarial, l.arch, l.crops(), l.state, func(p *program.Program, net *nets.Net, image *graphs.Value) (loss, objective *graphs.Value) {
		features := net.Decode(net.Encode(net.Context(net.Normalize(image))))
		var logits *graphs.Value
		p.Hold(func() { logits = net.Classify(features) }) // soft labels are constants
		t.features, t.logits = program.Output[float32](p, "features", features), program.Output[float32](p, "logits", logits)
		loss = t.judge.fooled(p, features, logits)
		return loss, p.Graph().Mul(loss, p.Graph().Scalar(float32(t.judge.cfg.Weight)))
	})
	if err != nil {
		return nil, err
	}
	l.own(t.pass)
	return []stage{
		{Stage{configs.TermClassAdversarial, "the class discriminator's judgement of target features, and its gradient"}, learn, adapting, t.learn},
		{Stage{t.judge.name, "the class discriminator learns to tell the domains apart"}, learn, adapting, t.teach},
	}, nil
}

// learn adds the gradient of λ_adv·L_cadv.
func (t *classAdversarialTerm) learn(ctx context.Context, i *iteration) error {
	return t.l.learnFrom(ctx, i, t.pass, t.judge.discriminator)
}

// teach moves the discriminator. The source's features are those of L_S.
func (t *classAdversarialTerm) teach(ctx context.Context, i *iteration) error {
	j, s := t.judge, t.l.supervised
	copy(j.features[copy(j.features, s.features):], t.features)
	copy(j.logits[copy(j.logits, s.logits):], t.logits)
	return j.teach(ctx, i, &t.l.cfg.Train)
}
