package learner

import (
	"context"
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

	grid       losses.Grid // of a micro-batch; the plan's is that of the batch
	source     []uint8     // [m·B,h,w] labels of the labelled images of this process
	target     []uint8     // likewise the pseudo-labels
	confidence []float32
	reweight   []float64 // [C]; nil unless DRW acts on L_pull
}

func pullStages(l *Learner) ([]stage, error) {
	p, err := newPullTerm(l)
	if err != nil {
		return nil, err
	}
	return []stage{
		{teacherStage, look, adapting, func(ctx context.Context, i *iteration) error {
			return p.keys.run(ctx, p.labelledImages(i.batch), i.micro)
		}},
		{planStage, plan, adapting, p.choose},
		{Stage{"pull", "pull loss, and its gradient"}, learn, adapting, p.learn},
	}, nil
}

// newPullTerm opens the sessions of the term.
func newPullTerm(l *Learner) (*pullTerm, error) {
	p := &pullTerm{l: l, cfg: l.cfg.Loss, size: l.crops()}
	var err error
	if p.keys, err = newTeacher(l.engine, "teacher/keys", l.arch, p.size, l.state, false, true, nil); err != nil {
		return nil, err
	}
	l.ownTeacher(p.keys)
	return p, p.build()
}

// build allocates the plan and opens the pass that it feeds.
func (p *pullTerm) build() (err error) {
	o, classes := p.cfg.Pull, p.l.arch.Classes
	p.grid = p.keys.features.Grid
	whole := p.grid
	whole.N *= p.l.micros.all
	p.planned, err = losses.NewPull(losses.PullOptions{
		Classes: classes, Loss: losses.PullLoss(p.l.cfg.PullKind()), Mean: losses.PullMean(o.Mean), Queries: o.Queries, Balanced: o.Balanced, Block: o.Block,
		Negatives: o.Negatives, Equalised: o.Equalised, Alpha: o.Alpha / 100, Temperature: o.Tau,
	}, whole)
	if err != nil {
		return err
	}
	n := p.l.micros.mine * p.grid.Positions()
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
	if source.Host() != nil || p.l.spread() {
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
	if err := p.plan(ctx, rng.New(p.l.cfg.Seed, i.index, "pull"), i); err != nil {
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
	p.planned.Wait()
	if m := p.l.micros; p.l.spread() {
		p.planned.Part(m.from+i.micro, m.all)
	}
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
