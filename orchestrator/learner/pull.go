package learner

import (
	"context"
	"math/rand/v2"
	"slices"

	"t2sda/configs"
	"t2sda/datasets"
	"t2sda/graphs"
	"t2sda/graphs/nets"
	"t2sda/graphs/program"
	"t2sda/internal/raster"
	"t2sda/internal/rng"
	"t2sda/losses"
)

// pullTerm is λ·L_pull: it pulls the student's features of one domain to the
// teacher's prototypes of another (Wang et al., §3; package losses maps the
// directions).
type pullTerm struct {
	*pass
	l       *Learner
	cfg     configs.Loss
	size    imageBatch
	keys    *teacher // of labelled images
	planned *losses.Pull
	away    *away // nil where features are the host's

	source     []uint8 // [B,h,w] labels of the labelled images
	target     []uint8 // [B,h,w] pseudo-labels
	confidence []float32
	reweight   []float64 // [C]; nil unless DRW acts on L_pull
}

func pullStages(l *Learner) ([]stage, error) {
	p := &pullTerm{l: l, cfg: l.cfg.Loss, size: l.crops()}
	var err error
	if p.keys, err = newTeacher(l.engine, "teacher/keys", l.arch, p.size, l.state, false, true); err != nil {
		return nil, err
	}
	l.own(p.keys)
	if err := p.build(); err != nil {
		return nil, err
	}
	return []stage{
		{teacherStage, adapting, func(ctx context.Context, i *iteration) error { return p.keys.run(ctx, p.labelledImages(i.batch)) }},
		{Stage{"plan", "prototypes, negatives, queries, class weights"}, adapting, p.choose},
		{Stage{"pull", "pull loss, and its gradient"}, adapting, p.learn},
	}, nil
}

// build allocates the plan and opens the pass that it feeds.
func (p *pullTerm) build() (err error) {
	o, classes, grid := p.cfg.Pull, p.l.arch.Classes, p.keys.features.Grid
	p.planned, err = losses.NewPull(losses.PullOptions{
		Classes: classes, Loss: losses.PullLoss(p.l.cfg.PullKind()), Mean: losses.PullMean(o.Mean), Queries: o.Queries, Balanced: o.Balanced, Block: o.Block,
		Negatives: o.Negatives, Equalised: o.Equalised, Alpha: o.Alpha / 100, Temperature: o.Tau,
	}, grid)
	if err != nil {
		return err
	}
	n := grid.Positions()
	p.source, p.target, p.confidence = make([]uint8, n), make([]uint8, n), make([]float32, n)
	if p.cfg.DRW == string(losses.ReweightPull) {
		p.reweight = make([]float64, classes)
	}
	if err := p.readAway(); err != nil {
		return err
	}
	p.pass, err = newPass(p.l.engine, "pull", p.l.arch, p.size, p.l.state, func(b *program.Program, net *nets.Net, image *graphs.Value) (loss, objective *graphs.Value) {
		loss = p.planned.Loss(b, net.Features(image), p.away.input(b))
		return loss, b.Graph().Mul(loss, b.Graph().Scalar(float32(o.Weight)))
	})
	if err != nil {
		return err
	}
	p.l.own(p.pass)
	return nil
}

// readAway lets sessions read features that the host may not touch.
func (p *pullTerm) readAway() (err error) {
	source, target := p.keys.features, (*featureMap)(nil)
	if source.Host() != nil {
		return nil
	}
	if p.l.target != nil {
		target = p.l.target.features
	}
	keys := source
	if p.cfg.Pull.KeyDomain == configs.DomainTarget {
		keys = target
	}
	if p.away, err = newAway(p.l.engine, p.l.state, p.planned, keys, source, target); err != nil {
		return err
	}
	p.l.own(p.away)
	return nil
}

// choose plans queries, keys and weights.
func (p *pullTerm) choose(ctx context.Context, i *iteration) error {
	if err := p.plan(ctx, rng.New(p.l.cfg.Seed, i.index, "pull"), i.batch, p.l.target); err != nil {
		return err
	}
	stats, s := &p.planned.Stats, &i.step
	s.Queries, s.Weights = slices.Clone(stats.Queries), slices.Clone(stats.Weights)
	s.QueryWeights = make([]float64, len(s.Queries))
	for c, n := range s.Queries {
		if n > 0 {
			s.QueryWeights[c] = s.Weights[c] / float64(n)
		}
	}
	return nil
}

// learn adds the gradient of λ·L_pull.
func (p *pullTerm) learn(ctx context.Context, i *iteration) (err error) {
	fillImages(p.image, p.queryImages(i.batch))
	i.step.Losses["pull"], err = p.run(ctx, p.l.noise(i, "pull"))
	return err
}

// labelledImages are the images whose labels are known and whose teacher
// features make keys and source negatives.
func (p *pullTerm) labelledImages(b *datasets.Batch) []*raster.Image {
	if p.cfg.Pull.KeyDomain == configs.DomainPseudo {
		return b.Pseudo
	}
	return b.Source
}

// queryImages are the images that the student's queries come from.
func (p *pullTerm) queryImages(b *datasets.Batch) []*raster.Image {
	switch p.cfg.Pull.QueryDomain {
	case configs.DomainSource:
		return b.Source
	case configs.DomainTarget:
		return b.Target
	}
	return b.Pseudo
}

// plan draws queries, keys and weights from the teacher's features. target is
// nil in domain generalisation.
func (p *pullTerm) plan(ctx context.Context, r *rand.Rand, b *datasets.Batch, target *teacher) error {
	grid, rule := p.planned.Grid, losses.GridRule(p.cfg.Pull.GridLabels)
	toGrid := func(dst, labels []uint8) error {
		return losses.GridLabels(dst, labels, p.size.N, p.size.H, p.size.W, grid.H, grid.W, rule)
	}
	if err := toGrid(p.source, flatten(b.SourceLabels)); err != nil {
		return err
	}
	batch := losses.PullBatch{QueryLabels: p.source}
	if p.away != nil {
		batch.Reader = p.away
	}
	batch.Source = losses.FeatureMap{Features: p.keys.features.Host(), Labels: p.source}
	batch.Keys = batch.Source
	if target != nil {
		if err := toGrid(p.target, target.pseudo); err != nil {
			return err
		}
		if err := losses.GridConfidence(p.confidence, target.confidence, p.size.N, p.size.H, p.size.W, grid.H, grid.W); err != nil {
			return err
		}
		batch.Target = &losses.FeatureMap{Features: target.features.Host(), Labels: p.target, Confidence: p.confidence}
		if p.cfg.Pull.KeyDomain == configs.DomainTarget {
			batch.Keys = *batch.Target
		}
		if p.cfg.Pull.QueryDomain == configs.DomainTarget {
			batch.QueryLabels = p.target
		}
		if p.reweight != nil {
			if err := losses.DRW(p.reweight, target.pseudo, target.confidence, p.cfg.DRWBeta); err != nil {
				return err
			}
			batch.ClassWeights = p.reweight
		}
	}
	return p.planned.Plan(ctx, r, batch)
}
