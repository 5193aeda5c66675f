package analyze

import (
	"context"
	"errors"
	"fmt"

	"t2sda/export/score"
	"t2sda/graphs/engine"
	"t2sda/orchestrator"
	"t2sda/orchestrator/features"
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
	moments   *features.Moments
	confusion *score.Confusion
	pdd       []float64
	points    []point
}

func (m *measurement) run(ctx context.Context, source, target *domain) (*Network, error) {
	var sides [2]*side
	for i, d := range []*domain{source, target} {
		var err error
		if sides[i], err = m.side(ctx, d); err != nil {
			return nil, fmt.Errorf("%s domain: %w", d.Domain, err)
		}
	}
	s, t, n := sides[0], sides[1], m.network
	out := &Network{
		Method: string(n.Config.Method), Dir: n.Dir, Checkpoint: n.Checkpoint, Iteration: n.Iteration,
		Depth: s.depth, Classes: classes(n.Space.Names(), s, t),
	}
	out.Mean, out.Correlation = average(out.Classes), correlation(out.Classes)
	var err error
	if out.embedded, err = embed(ctx, append(s.points, t.points...), m.o.Perplexity, m.o.Seed, m.o.Progress(string(n.Config.Method)+", t-SNE", "steps")); err != nil {
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
	x, err := features.Open(m.engine, m.network.Features(), m.o.Features, d.W, d.H)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, x.Close()) }()
	names := m.network.Space.Names()
	s := &side{depth: x.Depth(), moments: features.NewMoments(len(names), x.Depth()), confusion: score.NewConfusion(len(names))}
	err = m.pass(ctx, d, x, 1, func(seen features.Seen) error {
		predicted, err := x.Predicted(seen.Truth.W, seen.Truth.H)
		if err != nil {
			return err
		}
		s.moments.Add(seen.Features, seen.Labels)
		return s.confusion.Add(seen.Truth, predicted)
	})
	if err != nil {
		return nil, err
	}
	if err := s.moments.Check(names); err != nil {
		return nil, err
	}
	discrimination, sample := newDiscrimination(s.moments.Means()), newSample(d, s.moments.Count, m.o.Samples, m.o.Seed)
	err = m.pass(ctx, d, x, 2, func(seen features.Seen) error {
		sample.add(seen.Features, seen.Labels)
		return discrimination.add(ctx, seen.Features, seen.Labels)
	})
	if err != nil {
		return nil, err
	}
	s.pdd, s.points = discrimination.pdd(), sample.points
	return s, sample.complete()
}

// pass runs the network on every image and tells of its progress.
func (m *measurement) pass(ctx context.Context, d *domain, x *features.Extractor, number int, f func(features.Seen) error) error {
	progress, done := m.o.Progress(fmt.Sprintf("%s, %s, pass %d", m.network.Config.Method, d.Domain, number), "images"), 0
	return x.Pass(ctx, d.Images, m.o.Workers, func(s features.Seen) error {
		if err := f(s); err != nil {
			return err
		}
		if done++; progress != nil {
			progress(done, len(d.Chosen))
		}
		return nil
	})
}

// classes puts both sides' measures beside each other.
func classes(names []string, s, t *side) []Class {
	similar := features.Similarity(s.moments.Means(), t.moments.Means())
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
		iou, ccd := d.side.confusion.IoU(), d.side.moments.CCD()
		for c := range out {
			*d.of(&out[c]) = DomainClass{Positions: d.side.moments.Count[c], IoU: score.Score(iou[c]), CCD: Number(ccd[c]), PDD: Number(d.side.pdd[c])}
		}
	}
	return out
}
