package learner

import (
	"context"

	"t2sda/configs"
	"t2sda/graphs"
	"t2sda/graphs/nets"
	"t2sda/graphs/program"
	"t2sda/losses"
)

// entropyTerm is λ_ent·L_ent: the student shall be certain about target images (MinEnt,
// Vu et al., "ADVENT", CVPR 2019, equation 4).
type entropyTerm struct {
	*pass
	l *Learner
}

func entropyStages(l *Learner) ([]stage, error) {
	t, size := &entropyTerm{l: l}, l.crops()
	share := 1 / float64(l.micros.all) // of a micro-batch in the mean
	var err error
	t.pass, err = newPass(l.engine, configs.TermEntropy, l.arch, size, l.state, func(p *program.Program, net *nets.Net, image *graphs.Value) (loss, objective *graphs.Value) {
		loss = losses.Entropy(net.Segment(net.Encode(net.Context(net.Normalize(image)))), size.H, size.W)
		return loss, p.Graph().Mul(loss, p.Graph().Scalar(float32(share*l.cfg.Loss.Entropy.Weight)))
	})
	if err != nil {
		return nil, err
	}
	l.own(t.pass)
	return []stage{{Stage{configs.TermEntropy, "entropy of target images' predictions, and its gradient"}, learn, adapting, t.learn}}, nil
}

// learn adds the gradient of λ_ent·L_ent.
func (t *entropyTerm) learn(ctx context.Context, i *iteration) error {
	fillImages(t.image, i.batch.Target)
	loss, err := t.run(ctx, t.l.noise(i, configs.TermEntropy))
	i.step.Losses[configs.TermEntropy] = loss / float64(t.l.micros.all)
	t.l.noteStatistics(i, t.pass)
	return err
}
