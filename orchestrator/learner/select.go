package learner

import (
	"context"
	"fmt"
	"math"

	"t2sda/configs"
	"t2sda/graphs"
	"t2sda/graphs/nets"
	"t2sda/graphs/program"
	"t2sda/graphs/weights"
	"t2sda/internal/raster"
	"t2sda/losses"
)

// selectTerm is L_st: the cross-entropy on target images, as they are, with those of the
// teacher's labels that pass a threshold of their class, and regularisers. Thresholds move
// with the images, in place of the rounds of the published systems.
type selectTerm struct {
	*pass
	l        *Learner
	cfg      configs.Select
	labeller *labeller

	labels     []uint8   // [B,H,W]
	weights    []float32 // [B,H,W]
	unlabelled []float32 // [B,H,W]; nil without a regulariser of these
	thresholds []float32 // [C]; 0: the class was not predicted yet
}

// IAST begins with thresholds of 0.9 and keeps them below 1 (its public code).
const (
	iastFirst = 0.9
	iastMost  = 0.999
)

func selectStages(l *Learner) ([]stage, error) {
	t := &selectTerm{l: l, cfg: l.cfg.Selects(), thresholds: make([]float32, l.arch.Classes)}
	if t.cfg.Rule == configs.RuleIAST {
		for c := range t.thresholds {
			t.thresholds[c] = iastFirst
		}
		// Its means are over classes, too, as its public code has them.
		t.cfg.Smooth /= float64(l.arch.Classes)
		t.cfg.Certain /= float64(l.arch.Classes)
	}
	l.remember(weights.Tensor{Name: "select.thresholds", Shape: []int{len(t.thresholds)}, Data: t.thresholds})
	var err error
	if t.labeller, err = newLabeller(l, t.cfg.Rule != configs.RuleIAST); err != nil {
		return nil, err
	}
	l.own(t.labeller)
	if t.labeller.soft && t.cfg.Rule != configs.RuleIAST {
		l.rounds = append(l.rounds, t.beginRound)
	}
	if err := t.build(); err != nil {
		return nil, err
	}
	return []stage{
		{teacherStage, look, adapting, func(ctx context.Context, i *iteration) error {
			return t.labeller.run(ctx, i, t.thresholds)
		}},
		{Stage{configs.TermSelect, "loss on target images with selected labels, and its gradient"}, learn, adapting, t.learn},
	}, nil
}

// beginRound makes CBST's thresholds those of the whole target set, for the round.
func (t *selectTerm) beginRound(total *Total, it int) error {
	share := t.share(it)(0)
	for c, counts := range total.Histogram {
		t.thresholds[c] = levels[losses.TopShare(counts, share)]
	}
	return nil
}

// build opens the student's pass.
func (t *selectTerm) build() (err error) {
	l, size := t.l, t.l.crops()
	t.pass, err = newPass(l.engine, configs.TermSelect, l.arch, size, l.state, func(p *program.Program, net *nets.Net, image *graphs.Value) (loss, objective *graphs.Value) {
		logits := net.Segment(net.Encode(net.Context(net.Normalize(image))))
		labels, labelMemory := program.Labels(p, "labels", size.N, size.H, size.W)
		weights, weightMemory := program.Input[float32](p, "weights", size.N, size.H, size.W)
		t.labels, t.weights = labelMemory, weightMemory
		var unlabelled *graphs.Value
		if t.cfg.Certain > 0 {
			unlabelled, t.unlabelled = program.Input[float32](p, "unlabelled", size.N, size.H, size.W)
		}
		loss = losses.SelfTraining(logits, labels, weights, unlabelled, float32(t.cfg.Smooth))
		return loss, loss
	})
	if err != nil {
		return err
	}
	l.own(t.pass)
	return nil
}

// learn adds the gradient of L_st.
func (t *selectTerm) learn(ctx context.Context, i *iteration) error {
	s, err := t.selected(i)
	if err != nil {
		return err
	}
	labelled, _, err := s.Encode(t.labels, t.weights, t.unlabelled)
	if err != nil {
		return err
	}
	i.step.Selected = float64(labelled) / float64(len(s.Labels))
	fillImages(t.image, i.batch.Target)
	loss, err := t.run(ctx, t.l.noise(i, configs.TermSelect))
	i.step.Losses[configs.TermSelect] = loss / s.Weight
	t.l.noteStatistics(i, t.pass)
	return err
}

// selected chooses labels, and moves the thresholds: IAST's first, image by image; CBST's
// hold for the next batch, since classes are weighed by them where they are predicted, or for
// the round.
func (t *selectTerm) selected(i *iteration) (*losses.Selected, error) {
	size := t.l.crops()
	s := &losses.Selected{N: size.N, H: size.H, W: size.W, Classes: t.l.arch.Classes, Weight: t.cfg.Weight, Unlabelled: t.cfg.Weight * t.cfg.Certain}
	s.Rims = t.l.rims(i.batch)
	for n := range s.Rims {
		if err := t.follow(i, n); err != nil {
			return nil, fmt.Errorf("%s: %w", t.labeller.name, err)
		}
		s.Labels = append(s.Labels, t.labeller.pass(n, size, t.thresholds)...)
	}
	return s, nil
}

// follow moves the thresholds by image n of the batch, unless they are a round's. IAST's are
// kept below 1.
func (t *selectTerm) follow(i *iteration, n int) error {
	if t.labeller.soft && t.cfg.Rule != configs.RuleIAST {
		return nil
	}
	labels, confidence := t.labeller.of(n, t.l.crops())
	if err := losses.FollowClasses(t.thresholds, labels, confidence, t.cfg.Momentum, t.share(i.index)); err != nil {
		return err
	}
	if t.cfg.Rule == configs.RuleIAST {
		for c, v := range t.thresholds {
			t.thresholds[c] = min(v, iastMost)
		}
	}
	return nil
}

// share says which part of the pixels of a class is to be labelled in an iteration: CBST's
// grows, IAST's depends on the threshold (equation 8).
func (t *selectTerm) share(it int) func(threshold float64) float64 {
	if t.cfg.Rule == configs.RuleIAST {
		return func(threshold float64) float64 { return t.cfg.Alpha * math.Pow(threshold, t.cfg.Gamma) }
	}
	c := &t.l.cfg.Train
	first, end := c.FirstAdapting(), c.Phase(it)
	done := float64(it-first) / float64(max(end-1-first, 1))
	p := t.cfg.Portion + (t.cfg.PortionEnd-t.cfg.Portion)*done
	return func(float64) float64 { return p }
}

// labeller is the teacher where labels are selected by class: as it is now, or as it was at the
// beginning of a round.
type labeller struct {
	*program.Program // nil in rounds
	l                *Learner
	name             string
	soft             bool      // labels are a round's
	image            []float32 // [B,3,H,W]
	pseudo           []uint8   // [B,H,W] arg max p
	confidence       []float32 // [B,H,W] max p
	// Of CBST, whose labels are arg max p/θ where that is at least 1 (Zou et al., ECCV 2018,
	// equation 6).
	logs     []float32 // [C] log θ; nil in rounds
	balanced []uint8   // [B,H,W] arg max p/θ; nil unless the classes are weighed so
	margin   []float32 // [B,H,W] log of max p/θ, in rounds p − θ of it: at least 0 where p/θ is 1
	shares   []float32 // [B,C,H,W] p; nil but in rounds
}

// newLabeller builds the teacher's forward pass on target images.
func newLabeller(l *Learner, balances bool) (*labeller, error) {
	t, size := &labeller{l: l, name: "teacher/select", soft: l.soft != nil}, l.crops()
	if t.soft {
		n := size.N * size.H * size.W
		t.pseudo, t.confidence, t.shares = make([]uint8, n), make([]float32, n), make([]float32, n*l.arch.Classes)
		if balances {
			t.balanced, t.margin = make([]uint8, n), make([]float32, n)
		}
		return t, nil
	}
	var err error
	t.Program, t.image, err = l.state.onImages(l.engine, t.name, l.state.teacher, l.arch, nets.Teacher, size, func(p *program.Program, net *nets.Net, image *graphs.Value) {
		g := p.Graph()
		normal := net.Normalize(image)
		logits := g.Resize(net.Predict(normal, net.Encode(net.Context(normal))), size.H, size.W, "linear")
		labels, confidence, x, sum := predicted(p, logits)
		t.pseudo, t.confidence = labels, confidence
		if !balances {
			return
		}
		logs, memory := program.Input[float32](p, "log_thresholds", 1, l.arch.Classes, 1, 1)
		t.logs = memory
		x = g.Sub(x, logs)
		t.balanced = program.Output[uint8](p, "balanced", g.Cast(g.ArgMax(x, 1, false), graphs.Uint8))
		t.margin = program.Output[float32](p, "margin", g.Sub(g.ReduceMax(x, []int{1}, false), g.Log(sum)))
	})
	if err != nil {
		return nil, err
	}
	return t, nil
}

// run asks the teacher about the target images. A class without a threshold has 1, which nothing
// passes but certainty (CBST's public code).
func (t *labeller) run(ctx context.Context, i *iteration, thresholds []float32) error {
	if t.soft {
		return t.recall(i, thresholds)
	}
	for c := range t.logs {
		t.logs[c] = 0
		if thresholds[c] > 0 {
			t.logs[c] = float32(math.Log(float64(thresholds[c])))
		}
	}
	fillImages(t.image, i.batch.Target)
	return runFinite(ctx, t.Program, t.name, t.confidence)
}

// recall makes labels of what was said at the beginning of the round.
func (t *labeller) recall(i *iteration, thresholds []float32) error {
	size, c := t.l.crops(), t.l.arch.Classes
	if err := t.l.softOf(t.shares, i, size.H, size.W); err != nil {
		return err
	}
	least := make([]float64, c)
	for class, threshold := range thresholds {
		if least[class] = float64(threshold); threshold == 0 {
			least[class] = 1
		}
	}
	area := size.H * size.W
	inParallel(0, len(t.pseudo), func(from, to int) {
		for k := from; k < to; k++ {
			of := t.shares[k/area*c*area+k%area:]
			best := 0
			for class := 1; class < c; class++ {
				if of[class*area] > of[best*area] {
					best = class
				}
			}
			t.pseudo[k], t.confidence[k] = uint8(best), of[best*area]
			if t.balanced != nil {
				t.balanced[k], t.margin[k] = weighed(of, area, least)
			}
		}
	})
	return nil
}

// weighed returns the class of the largest p/θ, of classes' p that lie step apart, and its p −
// θ. A threshold is a level that p has often, so that neither may be rounded: products of two
// float32 are exact in float64, and the sign of a difference is.
func weighed(p []float32, step int, thresholds []float64) (class uint8, margin float32) {
	best := 0
	for c := 1; c < len(thresholds); c++ {
		if float64(p[c*step])*thresholds[best] > float64(p[best*step])*thresholds[c] {
			best = c
		}
	}
	return uint8(best), float32(float64(p[best*step]) - thresholds[best])
}

// Close frees the session, if there is one.
func (t *labeller) Close() error {
	if t.Program == nil {
		return nil
	}
	return t.Program.Close()
}

// of returns labels and confidences of image n.
func (t *labeller) of(n int, size imageBatch) (labels []uint8, confidence []float32) {
	from, to := n*size.H*size.W, (n+1)*size.H*size.W
	return t.pseudo[from:to], t.confidence[from:to]
}

// pass returns the labels of image n that are selected, and void.
func (t *labeller) pass(n int, size imageBatch, thresholds []float32) []uint8 {
	from, to := n*size.H*size.W, (n+1)*size.H*size.W
	out := make([]uint8, 0, to-from)
	for i := from; i < to; i++ {
		label := uint8(raster.Void)
		switch {
		case t.balanced != nil:
			if t.margin[i] >= 0 {
				label = t.balanced[i]
			}
		case t.confidence[i] >= thresholds[t.pseudo[i]]:
			label = t.pseudo[i]
		}
		out = append(out, label)
	}
	return out
}
