package learner

import (
	"context"

	"t2sda/configs"
	"t2sda/graphs"
	"t2sda/graphs/nets"
	"t2sda/graphs/program"
	"t2sda/internal/raster"
	"t2sda/losses"
)

// associateTerm is L_asso: each position of a source image goes to the position of a target image
// that is most like it, and from there back; where that ends in the class that it began in, both
// steps shall be more alike than others (PLCA, Kang et al., NeurIPS 2020). Both domains' images
// are in one pass, each with the batch statistics of its own.
type associateTerm struct {
	*pass
	l    *Learner
	cfg  configs.Associate
	grid imageBatch // on which positions are associated

	source []float32 // [B,3,H,W]; the pass's image is the target's
	labels []uint8   // [B,h·w], void as 0
	valid  []float32 // [B,h·w], void 0
}

func associateStages(l *Learner) ([]stage, error) {
	t := &associateTerm{l: l, cfg: l.cfg.Loss.Associate}
	share := 1 / float64(l.micros.all) // of a micro-batch in the mean
	var err error
	t.pass, err = newPass(l.engine, configs.TermAssociate, l.arch, l.crops(), l.state, func(p *program.Program, net *nets.Net, image *graphs.Value) (loss, objective *graphs.Value) {
		g, size := p.Graph(), l.crops()
		source, memory := program.Input[float32](p, "source", size.N, 3, size.H, size.W)
		t.source = memory
		loss = t.loss(p, t.maps(net, source), t.maps(net, image))
		return loss, g.Mul(loss, g.Scalar(float32(share)))
	})
	if err != nil {
		return nil, err
	}
	l.own(t.pass)
	return []stage{{Stage{configs.TermAssociate, "cycles between source and target positions, and their gradient"}, learn, adapting, t.learn}}, nil
}

// domainMaps is what the network makes of a domain's images on the grid of the association.
type domainMaps struct{ features, logits *graphs.Value }

// maps builds the network on a domain's images.
func (t *associateTerm) maps(net *nets.Net, image *graphs.Value) domainMaps {
	features := net.Decode(net.Encode(net.Context(net.Normalize(image))))
	m := domainMaps{features, net.Classify(features)}
	t.grid = imageBatch{image.Dim(0), min(features.Dim(2), image.Dim(2)/t.cfg.Stride), min(features.Dim(3), image.Dim(3)/t.cfg.Stride)}
	if g := image.Graph(); t.grid.H != features.Dim(2) || t.grid.W != features.Dim(3) {
		g.Exact(func() {
			m.features, m.logits = g.Resize(m.features, t.grid.H, t.grid.W, "linear"), g.Resize(m.logits, t.grid.H, t.grid.W, "linear")
		})
	}
	return m
}

// loss builds λ·(L of features + L of probabilities) + λ_smooth·(smoothness of both domains).
func (t *associateTerm) loss(p *program.Program, source, target domainMaps) *graphs.Value {
	g, n := p.Graph(), t.grid.H*t.grid.W
	labels, labelMemory := program.Labels(p, "labels", t.grid.N, n)
	valid, validMemory := program.Input[float32](p, "valid", t.grid.N, n)
	t.labels, t.valid = labelMemory, validMemory
	a := losses.Association{Source: source.features, Target: target.features, Labels: labels, Valid: valid, Aggregate: float32(t.cfg.Aggregate)}
	cycles := a.Features()
	a.Source, a.Target = g.Softmax(source.logits, 1), g.Softmax(target.logits, 1)
	cycles = g.Mul(g.Add(cycles, a.Probabilities()), g.Scalar(float32(t.cfg.Weight)))
	threshold := float32(t.cfg.Threshold)
	smooth := g.Add(losses.Smoothness(source.logits, threshold), losses.Smoothness(target.logits, threshold))
	return g.Add(cycles, g.Mul(smooth, g.Scalar(float32(t.cfg.Smooth))))
}

// learn adds the gradient of the term.
func (t *associateTerm) learn(ctx context.Context, i *iteration) error {
	size := t.l.crops()
	if err := losses.GridLabels(t.labels, flatten(i.batch.SourceLabels), size.N, size.H, size.W, t.grid.H, t.grid.W, losses.Nearest); err != nil {
		return err
	}
	for k, label := range t.labels {
		t.valid[k] = 1
		if label == raster.Void {
			t.labels[k], t.valid[k] = 0, 0
		}
	}
	fillImages(t.source, i.batch.Source)
	fillImages(t.image, i.batch.Target)
	loss, err := t.run(ctx, t.l.noise(i, configs.TermAssociate))
	i.step.Losses[configs.TermAssociate] = loss / float64(t.l.micros.all)
	t.l.noteStatistics(i, t.pass)
	return err
}
