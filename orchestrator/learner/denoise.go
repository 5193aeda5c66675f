package learner

import (
	"context"

	"t2sda/configs"
	"t2sda/graphs"
	"t2sda/graphs/nets"
	"t2sda/graphs/program"
	"t2sda/graphs/weights"
	"t2sda/internal/rng"
	"t2sda/losses"
	"t2sda/translate"
)

// denoiseTerm is L_dn, of ProDA's first stage (Zhang et al., CVPR 2021): target images are
// learned with soft labels that the teacher gave them at the beginning of a round, weighed by how
// near its features are now to each class's prototype, and the student's features of strongly
// augmented images shall be as near to the prototypes as the teacher's of plain ones.
type denoiseTerm struct {
	*pass
	l        *Learner
	name     string // of the term
	cfg      configs.Denoise
	augment  translate.StrongAugment
	judge    *denoiser
	clusters *clusters // nil unless positions are clustered, too

	prototypes []float32 // [C,D]; 0: the class was not seen yet
	labels     []uint8   // [B,h,w]
	weights    []float32 // [B,h,w]
	targets    []float32 // [B,C,h,w] the teacher's assignment
	rows       []float32 // [C,D], what the pass reads of the prototypes
	absent     []float32 // [C]
}

// noPrototype is the distance to a class without a prototype.
const noPrototype = 1e4

// leastPositions of a class in a batch are what a mean is taken of (ProDA's public code).
const leastPositions = 10

func denoiseStages(l *Learner) ([]stage, error) {
	return newDenoise(l, &denoiseTerm{l: l, name: configs.TermDenoise, cfg: l.cfg.Loss.Denoise})
}

// newDenoise opens a term of that kind.
func newDenoise(l *Learner, t *denoiseTerm) ([]stage, error) {
	t.augment = translate.DefaultStrongAugment()
	var err error
	if t.judge, err = newDenoiser(l, t); err != nil {
		return nil, err
	}
	l.own(t.judge)
	t.prototypes = make([]float32, len(t.judge.sums))
	l.remember(weights.Tensor{Name: t.name + ".prototypes", Shape: []int{l.arch.Classes, t.judge.grid.D}, Data: t.prototypes})
	l.rounds = append(l.rounds, t.beginRound)
	if t.clusters != nil {
		if err := t.clusters.open(l, t); err != nil {
			return nil, err
		}
	}
	if err := t.build(); err != nil {
		return nil, err
	}
	return []stage{
		{teacherStage, look, adapting, t.look},
		{Stage{t.name, "loss on target images with labels denoised by prototypes, and its gradient"}, learn, adapting, t.learn},
	}, t.augment.Validate()
}

// near returns how near features are to each prototype, logits of assignments.
func (t *denoiseTerm) near(features, rows, absent *graphs.Value) *graphs.Value {
	if t.clusters != nil {
		return losses.PrototypeCosines(features, rows, absent, float32(t.cfg.Temperature))
	}
	return losses.PrototypeDistances(features, rows, absent, float32(t.cfg.Temperature))
}

// build opens the student's pass.
func (t *denoiseTerm) build() (err error) {
	l, c, grid := t.l, t.cfg, t.judge.grid
	t.pass, err = newPass(l.engine, t.name, l.arch, l.crops(), l.state, func(p *program.Program, net *nets.Net, image *graphs.Value) (loss, objective *graphs.Value) {
		g := p.Graph()
		features := net.Decode(net.Encode(net.Context(net.Normalize(image))))
		labels, labelMemory := program.Labels(p, "labels", grid.N, grid.H, grid.W)
		weights, weightMemory := program.Input[float32](p, "weights", grid.N, grid.H, grid.W)
		targets, targetMemory := program.Input[float32](p, "assignments", grid.N, l.arch.Classes, grid.H, grid.W)
		rows, rowMemory := program.Input[float32](p, "prototypes", l.arch.Classes, grid.D)
		absent, absentMemory := program.Input[float32](p, "absent", l.arch.Classes)
		t.labels, t.weights, t.targets, t.rows, t.absent = labelMemory, weightMemory, targetMemory, rowMemory, absentMemory
		loss = losses.SymmetricCrossEntropy(net.Classify(features), labels, weights, losses.Symmetric{Cross: c.Cross, Reverse: c.Reverse, Smooth: c.Smooth})
		near := t.near(features, rows, absent)
		if c.Consistency > 0 {
			away := losses.AssignmentDivergence(near, targets, weights)
			loss = g.Add(loss, g.Mul(away, g.Scalar(float32(c.Consistency))))
		}
		if t.clusters != nil {
			loss = g.Add(loss, t.clusters.loss(p, near))
		}
		return loss, g.Mul(loss, g.Scalar(float32(c.Weight)))
	})
	if err != nil {
		return err
	}
	l.own(t.pass)
	return nil
}

// beginRound makes the prototypes the means over the whole target set.
func (t *denoiseTerm) beginRound(total *Total, _ int) error {
	if t.clusters != nil {
		t.clusters.beginRound(total)
	}
	clear(t.prototypes)
	sums := make([]float32, len(total.Sums))
	counts := make([]int, len(total.Counts))
	for c, n := range total.Counts {
		counts[c] = int(n)
	}
	for i, v := range total.Sums {
		sums[i] = float32(v)
	}
	return losses.FollowMeans(t.prototypes, sums, counts, 0)
}

// look asks the teacher about the images as they are.
func (t *denoiseTerm) look(ctx context.Context, i *iteration) error {
	copy(t.judge.rows, t.prototypes)
	for c := range t.judge.absent {
		t.judge.absent[c] = 0
		row := t.judge.rows[c*t.judge.grid.D : (c+1)*t.judge.grid.D]
		if !losses.HasAnchor(row) {
			t.judge.absent[c] = noPrototype
		} else if t.clusters != nil {
			toUnit(row)
		}
	}
	if err := t.l.softOf(t.judge.soft, i, t.judge.grid.H, t.judge.grid.W); err != nil {
		return err
	}
	fillImages(t.judge.image, i.batch.Target)
	if err := t.judge.run(ctx); err != nil || t.clusters == nil {
		return err
	}
	return t.clusters.assign(t.judge, t.positions(i), rng.New(t.l.cfg.Seed, i.index, t.name+"/positions"))
}

// positions lists those of each image that are not in its rim.
func (t *denoiseTerm) positions(i *iteration) [][]int {
	grid, rows := t.judge.grid, t.l.crops().H
	out := make([][]int, grid.N)
	for n, rim := range t.l.rims(i.batch) {
		for at := range grid.H * grid.W {
			if !rim.HoldsCell(at/grid.W, grid.H, rows) {
				out[n] = append(out[n], at)
			}
		}
	}
	return out
}

// learn adds the gradient of L_dn, and moves the prototypes.
func (t *denoiseTerm) learn(ctx context.Context, i *iteration) error {
	j := t.judge
	if err := losses.EncodeDenoised(t.labels, t.weights, j.denoised, t.l.rims(i.batch), j.grid.H, j.grid.W, t.l.crops().H); err != nil {
		return err
	}
	copy(t.targets, j.near)
	copy(t.rows, j.rows)
	copy(t.absent, j.absent)
	fillImages(t.image, t.l.augmented(t.augment, t.name, i.index, i.batch))
	loss, err := t.run(ctx, t.l.noise(i, t.name))
	if err != nil {
		return err
	}
	i.step.Losses[t.name] = loss
	t.l.noteStatistics(i, t.pass)
	return losses.FollowMeans(t.prototypes, j.sums, j.seen(), t.cfg.Momentum)
}

// denoiser is the teacher where soft labels are weighed by prototypes.
type denoiser struct {
	*program.Program
	grid losses.Grid // of what the classifier reads

	image    []float32 // [B,3,H,W]
	rows     []float32 // [C,D] prototypes
	absent   []float32 // [C]
	soft     []float32 // [B,C,h,w] soft labels; nil: the teacher's of now
	near     []float32 // [B,C,h,w] assignments to the prototypes
	denoised []uint8   // [B,h,w] labels
	labels   []uint8   // [B,h,w] the teacher's own
	sums     []float32 // [C,D] of the features of each of these
	features []float32 // [B,D,h,w]; nil unless positions are clustered
}

func newDenoiser(l *Learner, t *denoiseTerm) (*denoiser, error) {
	d := &denoiser{}
	var err error
	d.Program, d.image, err = l.state.onImages(l.engine, "teacher/"+t.name, l.state.teacher, l.arch, nets.Teacher, l.crops(), func(p *program.Program, net *nets.Net, image *graphs.Value) {
		g := p.Graph()
		features := net.Decode(net.Encode(net.Context(net.Normalize(image))))
		logits := net.Classify(features)
		d.grid = gridOf(features)
		rows, rowMemory := program.Input[float32](p, "prototypes", l.arch.Classes, d.grid.D)
		absent, absentMemory := program.Input[float32](p, "absent", l.arch.Classes)
		d.rows, d.absent = rowMemory, absentMemory
		soft := g.Softmax(logits, 1)
		if l.soft != nil {
			soft, d.soft = program.Input[float32](p, "soft", logits.Shape()...)
		}
		near := g.Softmax(t.near(features, rows, absent), 1)
		d.near = program.Output[float32](p, "assignments", near)
		d.denoised = program.Output[uint8](p, "denoised", g.Cast(losses.Denoised(near, soft), graphs.Uint8))
		own := g.ArgMax(logits, 1, false)
		d.labels = program.Output[uint8](p, "labels", g.Cast(own, graphs.Uint8))
		d.sums = program.Output[float32](p, "sums", losses.ClassSums(features, own, l.arch.Classes))
		if t.clusters != nil {
			d.features = program.Output[float32](p, "features", features)
		}
	})
	if err != nil {
		return nil, err
	}
	return d, nil
}

func (d *denoiser) run(ctx context.Context) error {
	return runFinite(ctx, d.Program, "teacher/denoise", d.near, d.sums)
}

// seen counts the positions of each class, 0 where they are too few for a mean.
func (d *denoiser) seen() []int {
	counts := make([]int, len(d.absent))
	for _, label := range d.labels {
		counts[label]++
	}
	for c, n := range counts {
		if n < leastPositions {
			counts[c] = 0
		}
	}
	return counts
}
