package learner

import (
	"context"

	"t2sda/configs"
	"t2sda/graphs"
	"t2sda/graphs/nets"
	"t2sda/graphs/program"
	"t2sda/internal/raster"
	"t2sda/internal/rng"
	"t2sda/losses"
)

// supervised is the student's pixel-weighted cross-entropy. One session serves
// L_S, L_T and L_M: they differ in images, labels and weights only. With a frozen
// encoder it also takes the distance from its features, where that has weights:
// one forward pass of the student serves both. In HRDA, what it takes the
// cross-entropy of is the fused prediction, and that of the detail.
type supervised struct {
	*pass
	l       *Learner
	labels  []uint8   // [B,H,W], void as 0
	weights []float32 // [B,H,W], void 0; the denominator is in them
	logits  []float32 // [B,C,h,w] of shape, of the last run; nil without a discriminator
	shape   graphs.Shape
	// Of the last run: what the classifier reads, [B,D,h,w] of shape decoded; nil without a
	// discriminator of features.
	features []float32
	decoded  graphs.Shape
	detail   *detail // nil without HRDA
}

// newSupervised builds the session, with the feature distance where there is a frozen
// encoder.
func newSupervised(l *Learner, size imageBatch) (*supervised, error) {
	t := &supervised{l: l}
	var err error
	t.pass, err = newPass(l.engine, "supervised", l.arch, size, l.state, func(p *program.Program, net *nets.Net, image *graphs.Value) (loss, objective *graphs.Value) {
		levels := net.Encode(net.Context(net.Normalize(image)))
		features := net.Decode(levels)
		logits := net.Classify(features)
		t.shape, t.decoded = logits.Shape(), features.Shape()
		if l.cfg.UsesAdversarial() || l.cfg.UsesClassAdversarial() {
			t.logits = program.Output[float32](p, "logits", logits)
		}
		if l.cfg.UsesClassAdversarial() {
			t.features = program.Output[float32](p, "features", features)
		}
		labels, labelMemory := program.Labels(p, "labels", size.N, size.H, size.W)
		weights, weightMemory := program.Input[float32](p, "weights", size.N, size.H, size.W)
		t.labels, t.weights = labelMemory, weightMemory
		if l.arch.HasDetails() {
			t.detail = newDetail(l.cfg.Model.HRDA, size)
			loss = t.detail.loss(p, net, levels, logits, labels, weights)
		} else {
			loss = losses.CrossEntropy(logits, labels, weights)
		}
		if l.frozen == nil {
			return loss, loss
		}
		return loss, p.Graph().Add(loss, l.frozen.distanceOf(p, levels))
	})
	if err != nil {
		return nil, err
	}
	return t, nil
}

// learn adds the gradient of the cross-entropy on images whose labels and weights, which
// are means over what d says, are there already. It returns the loss; loss names what is
// drawn for it.
func (s *supervised) learn(ctx context.Context, i *iteration, loss string, images []*raster.Image, d losses.Denominator) (float64, error) {
	fillImages(s.image, images)
	if s.detail != nil {
		s.detail.cut(s, rng.New(s.l.cfg.Seed, i.index, "detail/"+loss), d)
	}
	value, err := s.run(ctx, s.l.noise(i, loss))
	if err != nil {
		return 0, err
	}
	s.l.noteStatistics(i, s.pass)
	return value, nil
}

// sourceTerm is L_S: the cross-entropy on source images, on pseudo-target ones, or
// the mean of both. With it goes the feature distance.
type sourceTerm struct {
	l      *Learner
	domain string // of its images

	// Of a batch of several micro-batches: the denominators of its means.
	pixels, things int
}

func sourceStages(l *Learner) ([]stage, error) {
	t := &sourceTerm{l: l, domain: l.cfg.CEDomain()}
	stages := []stage{{Stage{"source", "loss on labelled images, and its gradient"}, learn, always, t.learn}}
	if l.spread() {
		stages = append(stages, stage{planStage, plan, always, t.count})
	}
	return stages, nil
}

// learn adds the gradient of L_S.
func (t *sourceTerm) learn(ctx context.Context, i *iteration) error {
	domains := []string{t.domain}
	if t.domain == configs.DomainBoth {
		domains = []string{configs.DomainPseudo, configs.DomainSource}
	}
	labels, scale := flatten(i.batch.SourceLabels), 1/float64(len(domains))
	denominator := losses.Denominator(t.l.cfg.Loss.CEDenominator)
	if err := t.encode(labels, denominator, scale); err != nil { // of all domains
		return err
	}
	for _, domain := range domains {
		images := i.batch.Source
		if domain == configs.DomainPseudo {
			images = i.batch.Pseudo
		}
		// Of both domains, the source's features are those to keep (DAFormer).
		keeps := t.l.frozen != nil && (domain == configs.DomainSource || len(domains) == 1)
		if keeps {
			if err := t.l.frozen.run(ctx, images, labels, t.things); err != nil {
				return err
			}
		}
		loss, err := t.l.supervised.learn(ctx, i, domain, images, denominator)
		i.step.Losses[domain] = loss / scale
		if keeps {
			i.step.Losses["feature_distance"] = t.l.frozen.take()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// encode fills the session's labels and weights, whose denominator is that of the batch.
func (t *sourceTerm) encode(labels []uint8, d losses.Denominator, scale float64) error {
	s, classes := t.l.supervised, t.l.arch.Classes
	if t.l.spread() {
		return losses.EncodeOver(s.labels, s.weights, labels, classes, t.pixels, scale)
	}
	return losses.Encode(s.labels, s.weights, labels, classes, d, scale)
}

// flatten joins the labels of a batch, [B,H,W].
func flatten(labels []*raster.Labels) []uint8 {
	var out []uint8
	for _, l := range labels {
		out = append(out, l.Pix...)
	}
	return out
}
