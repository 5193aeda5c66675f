package orchestrator

import (
	"math/rand/v2"

	"t2sda/configs"
	"t2sda/datasets"
	"t2sda/graphs"
	"t2sda/graphs/engine"
	"t2sda/graphs/nets"
	"t2sda/internal/raster"
	"t2sda/losses"
)

// pull is the term that pulls the student's features of one domain to the
// teacher's prototypes of another (Wang et al., §3; package losses maps the
// directions).
type pull struct {
	*term
	cfg     configs.Loss
	size    imageBatch
	planned *losses.Pull

	source   []uint8 // [B,h,w] labels of the labelled images
	target   []uint8 // [B,h,w] pseudo-labels
	surety   []float32
	reweight []float64 // [C]; nil unless DRW acts on L_pull
}

func newPull(e *engine.Engine, c configs.Config, arch nets.Arch, size imageBatch, grid losses.Grid, s *state) (*pull, error) {
	o := c.Loss.Pull
	planned, err := losses.NewPull(losses.PullOptions{
		Classes: arch.Classes, Loss: losses.PullLoss(c.PullKind()), Mean: losses.PullMean(o.Mean), Queries: o.Queries, Balanced: o.Balanced, Block: o.Block,
		Negatives: o.Negatives, Equalised: o.Equalised, Alpha: o.Alpha / 100, Temperature: o.Tau,
	}, grid)
	if err != nil {
		return nil, err
	}
	n := grid.Positions()
	p := &pull{
		cfg: c.Loss, size: size, planned: planned,
		source: make([]uint8, n), target: make([]uint8, n), surety: make([]float32, n),
	}
	if c.Loss.DRW == string(losses.ReweightPull) {
		p.reweight = make([]float64, arch.Classes)
	}
	b := newBinder()
	slots := planned.Blocks * o.Block
	bindTo(b, b.inputs, losses.PullIndex, planned.Index, slots)
	bindTo(b, b.inputs, losses.PullWeights, planned.Weights, planned.Blocks, o.Block)
	bindTo(b, b.inputs, losses.PullPositives, planned.Positives, planned.Blocks, grid.D)
	if planned.Options.Loss == losses.PullInfoNCE {
		bindTo(b, b.inputs, losses.PullNegatives, planned.Negatives, arch.Classes, o.Negatives, grid.D)
		bindTo(b, b.inputs, losses.PullBlockClass, planned.BlockClass, planned.Blocks)
	}
	p.term, err = newTerm(e, "pull", arch, size, s, func(g *graphs.Graph, net *nets.Net, x *graphs.Value) (loss, objective *graphs.Value) {
		loss = planned.Loss(g, net.Project(net.Encode(x)))
		return loss, g.Mul(loss, g.Scalar(float32(o.Weight)))
	}, b)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// labelledImages are the images whose labels are known and whose teacher
// features make keys and source negatives.
func (p *pull) labelledImages(b *datasets.Batch) []*raster.Image {
	if p.cfg.Pull.KeyDomain == configs.DomainPseudo {
		return b.Pseudo
	}
	return b.Source
}

// queryImages are the images that the student's queries come from.
func (p *pull) queryImages(b *datasets.Batch) []*raster.Image {
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
func (p *pull) plan(r *rand.Rand, b *datasets.Batch, keys, target *teacher) error {
	grid, rule := p.planned.Grid, losses.GridRule(p.cfg.Pull.GridLabels)
	toGrid := func(dst, labels []uint8) error {
		return losses.GridLabels(dst, labels, p.size.N, p.size.H, p.size.W, grid.H, grid.W, rule)
	}
	if err := toGrid(p.source, flatten(b.SourceLabels)); err != nil {
		return err
	}
	batch := losses.PullBatch{QueryLabels: p.source}
	batch.Source = losses.FeatureMap{Features: keys.features, Labels: p.source}
	batch.Keys = batch.Source
	if target != nil {
		if err := toGrid(p.target, target.pseudo); err != nil {
			return err
		}
		if err := losses.GridConfidence(p.surety, target.confidence, p.size.N, p.size.H, p.size.W, grid.H, grid.W); err != nil {
			return err
		}
		batch.Target = &losses.FeatureMap{Features: target.features, Labels: p.target, Confidence: p.surety}
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
	return p.planned.Plan(r, batch)
}
