package learner

import (
	"context"
	"math/rand/v2"

	"t2sda/configs"
	"t2sda/internal/ranks"
	"t2sda/losses"
)

// plan draws queries, keys and weights of the whole batch from the teacher's features,
// wherever the micro-batches are: labels and confidences are told to all, of features only
// sums and the rows that were drawn, which on the host are copied while sessions run.
func (p *pullTerm) plan(ctx context.Context, r *rand.Rand, i *iteration) error {
	if err := p.l.agree(p.toGrid(i)); err != nil {
		return err
	}
	batch, err := p.batch(i)
	if err != nil {
		return err
	}
	if err := p.planned.Begin(ctx, r, batch); err != nil {
		return err
	}
	i.background.Go(p.planned.Wait)
	return nil
}

// toGrid brings labels and confidences of this process's micro-batches to the grid.
func (p *pullTerm) toGrid(i *iteration) error {
	grid, rule, n := p.grid, losses.GridRule(p.cfg.Pull.GridLabels), p.grid.Positions()
	for k, b := range i.batches {
		from, to := k*n, (k+1)*n
		labels := flatten(b.SourceLabels)
		if err := losses.GridLabels(p.source[from:to], labels, p.size.N, p.size.H, p.size.W, grid.H, grid.W, rule); err != nil {
			return err
		}
		if p.l.target == nil {
			continue
		}
		said := p.l.target.of(k)
		if err := losses.GridLabels(p.target[from:to], said.pseudo, p.size.N, p.size.H, p.size.W, grid.H, grid.W, rule); err != nil {
			return err
		}
		if err := losses.GridConfidence(p.confidence[from:to], said.confidence, p.size.N, p.size.H, p.size.W, grid.H, grid.W); err != nil {
			return err
		}
	}
	return nil
}

// batch is what the plan is drawn from. There is no target in domain generalisation.
func (p *pullTerm) batch(i *iteration) (losses.PullBatch, error) {
	m := p.l.micros
	source, err := ranks.Gather(m.ranks, m.all, p.source)
	batch := losses.PullBatch{QueryLabels: source, Source: losses.FeatureMap{Labels: source}}
	if err != nil {
		return batch, err
	}
	if p.l.target != nil {
		if batch.Target, err = p.targetMap(); err != nil {
			return batch, err
		}
		if p.cfg.Pull.QueryDomain == configs.DomainTarget {
			batch.QueryLabels = batch.Target.Labels
		}
	}
	switch {
	case p.l.spread():
		batch.Reader = &spread{p}
	case p.away != nil:
		batch.Reader = p.away
	default:
		batch.Source.Features = p.keys.features.Host()
	}
	batch.Keys = batch.Source
	if p.cfg.Pull.KeyDomain == configs.DomainTarget {
		batch.Keys = *batch.Target
	}
	if p.reweight != nil && batch.Target != nil {
		if err := p.l.classWeights(p.reweight, i); err != nil {
			return batch, err
		}
		batch.ClassWeights = p.reweight
	}
	return batch, nil
}

// targetMap is the target's part of what a plan is drawn from.
func (p *pullTerm) targetMap() (*losses.FeatureMap, error) {
	m := p.l.micros
	labels, err := ranks.Gather(m.ranks, m.all, p.target)
	if err != nil {
		return nil, err
	}
	confidence, err := ranks.Gather(m.ranks, m.all, p.confidence)
	if err != nil {
		return nil, err
	}
	t := &losses.FeatureMap{Labels: labels, Confidence: confidence}
	if !p.l.spread() && p.away == nil {
		t.Features = p.l.target.features.Host()
	}
	return t, nil
}
