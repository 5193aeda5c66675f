package analyze

import (
	"context"
	"errors"
	"fmt"

	"t2sda/export/score"
	"t2sda/graphs/engine"
	"t2sda/losses"
	"t2sda/orchestrator"
)

// measurement is one network on both domains.
type measurement struct {
	engine  *engine.Engine
	network *orchestrator.Network
	o       Options
}

// side is what a measurement finds in one domain.
type side struct {
	depth     int
	moments   *moments
	confusion *score.Confusion
	pdd       []float64
	points    []point
}

func (m *measurement) run(ctx context.Context, source, target *domain) (*Network, error) {
	var sides [2]*side
	for i, d := range []*domain{source, target} {
		var err error
		if sides[i], err = m.side(ctx, d); err != nil {
			return nil, fmt.Errorf("%s domain: %w", d.name, err)
		}
	}
	s, t, n := sides[0], sides[1], m.network
	out := &Network{
		Method: n.Config.Method, Dir: n.Dir, Checkpoint: n.Checkpoint, Iteration: n.Iteration,
		Depth: s.depth, Classes: classes(n.Space.Names(), s, t),
	}
	out.Mean, out.Correlation = average(out.Classes), correlation(out.Classes)
	var err error
	if out.embedded, err = embed(ctx, append(s.points, t.points...), m.o.Perplexity, m.o.Seed, m.o.Progress(n.Config.Method+", t-SNE", "steps")); err != nil {
		return nil, err
	}
	layout := out.embedded.tsne
	out.Embedding = Embedding{
		Points: len(out.embedded.points), PCAVariance: out.embedded.variance,
		Perplexity: layout.Perplexity, Divergence: layout.Divergence,
	}
	return out, nil
}

// side passes twice over a domain's images.
func (m *measurement) side(ctx context.Context, d *domain) (_ *side, err error) {
	x, err := newExtractor(m.engine, m.network, m.o.Features, d.w, d.h)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, x.close()) }()
	names := m.network.Space.Names()
	s := &side{depth: x.depth, moments: newMoments(len(names), x.depth), confusion: score.NewConfusion(len(names))}
	err = m.pass(ctx, d, x, 1, func(l loaded, grid []uint8) error {
		predicted, err := x.labels(l.truth.W, l.truth.H)
		if err != nil {
			return err
		}
		s.moments.add(x.features, grid)
		return s.confusion.Add(l.truth, predicted)
	})
	if err != nil {
		return nil, err
	}
	if err := s.moments.check(names); err != nil {
		return nil, err
	}
	discrimination, sample := newDiscrimination(s.moments.means()), newSample(d, s.moments.count, m.o.Samples, m.o.Seed)
	err = m.pass(ctx, d, x, 2, func(_ loaded, grid []uint8) error {
		sample.add(x.features, grid)
		return discrimination.add(ctx, x.features, grid)
	})
	if err != nil {
		return nil, err
	}
	s.pdd, s.points = discrimination.pdd(), sample.points
	return s, sample.complete()
}

// pass runs the network on every image and gives f its labels on the feature
// grid [h,w].
func (m *measurement) pass(ctx context.Context, d *domain, x *extractor, number int, f func(l loaded, grid []uint8) error) error {
	progress := m.o.Progress(fmt.Sprintf("%s, %s, pass %d", m.network.Config.Method, d.name, number), "images")
	grid, done := make([]uint8, x.h*x.w), 0
	rule := losses.GridRule(m.network.Config.Loss.Pull.GridLabels)
	return d.each(ctx, m.o.Workers, func(l loaded) error {
		if err := losses.GridLabels(grid, l.labels.Pix, 1, d.h, d.w, x.h, x.w, rule); err != nil {
			return err
		}
		if err := x.run(ctx, l.image); err != nil {
			return err
		}
		if err := f(l, grid); err != nil {
			return err
		}
		if done++; progress != nil {
			progress(done, len(d.chosen))
		}
		return nil
	})
}

// classes puts both sides' measures beside each other.
func classes(names []string, s, t *side) []Class {
	similar := similarity(s.moments.means(), t.moments.means())
	out := make([]Class, len(names))
	for c, name := range names {
		out[c] = Class{Name: name, Similarity: Number(similar[c])}
	}
	for _, d := range []struct {
		side *side
		of   func(c *Class) *DomainClass
	}{
		{s, func(c *Class) *DomainClass { return &c.Source }},
		{t, func(c *Class) *DomainClass { return &c.Target }},
	} {
		iou, ccd := d.side.confusion.IoU(), d.side.moments.ccd()
		for c := range out {
			*d.of(&out[c]) = DomainClass{Positions: d.side.moments.count[c], IoU: score.Score(iou[c]), CCD: Number(ccd[c]), PDD: Number(d.side.pdd[c])}
		}
	}
	return out
}
