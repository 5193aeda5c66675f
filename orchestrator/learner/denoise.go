package learner

import (
	"context"
	"fmt"

	"t2sda/configs"
	"t2sda/graphs"
	"t2sda/graphs/nets"
	"t2sda/graphs/program"
	"t2sda/graphs/weights"
	"t2sda/internal/finite"
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
	l       *Learner
	cfg     configs.Denoise
	augment translate.StrongAugment
	judge   *denoiser

	prototypes []float32 // [C,D]; 0: the class was not seen yet
	labels     []int64   // [B,h,w]
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
	t := &denoiseTerm{l: l, cfg: l.cfg.Loss.Denoise, augment: translate.DefaultStrongAugment()}
	var err error
	if t.judge, err = newDenoiser(l); err != nil {
		return nil, err
	}
	l.own(t.judge)
	t.prototypes = make([]float32, len(t.judge.sums))
	l.remember(weights.Tensor{Name: "denoise.prototypes", Shape: []int{l.arch.Classes, t.judge.width}, Data: t.prototypes})
	l.rounds = append(l.rounds, t.beginRound)
	if err := t.build(); err != nil {
		return nil, err
	}
	return []stage{
		{teacherStage, look, adapting, t.look},
		{Stage{configs.TermDenoise, "loss on target images with labels denoised by prototypes, and its gradient"}, learn, adapting, t.learn},
	}, t.augment.Validate()
}

// build opens the student's pass.
func (t *denoiseTerm) build() (err error) {
	l, c, grid := t.l, t.cfg, t.judge.grid
	t.pass, err = newPass(l.engine, configs.TermDenoise, l.arch, l.crops(), l.state, func(p *program.Program, net *nets.Net, image *graphs.Value) (loss, objective *graphs.Value) {
		g := p.Graph()
		features := net.Decode(net.Encode(net.Context(net.Normalize(image))))
		labels, labelMemory := program.Input[int64](p, "labels", grid.N, grid.H, grid.W)
		weights, weightMemory := program.Input[float32](p, "weights", grid.N, grid.H, grid.W)
		targets, targetMemory := program.Input[float32](p, "assignments", grid.N, l.arch.Classes, grid.H, grid.W)
		rows, rowMemory := program.Input[float32](p, "prototypes", l.arch.Classes, grid.D)
		absent, absentMemory := program.Input[float32](p, "absent", l.arch.Classes)
		t.labels, t.weights, t.targets, t.rows, t.absent = labelMemory, weightMemory, targetMemory, rowMemory, absentMemory
		loss = losses.SymmetricCrossEntropy(net.Classify(features), labels, weights, losses.Symmetric{Cross: c.Cross, Reverse: c.Reverse, Smooth: c.Smooth})
		if c.Consistency > 0 {
			away := losses.AssignmentDivergence(losses.PrototypeDistances(features, rows, absent, float32(c.Temperature)), targets)
			loss = g.Add(loss, g.Mul(away, g.Scalar(float32(c.Consistency))))
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
		if !losses.HasAnchor(t.prototypes[c*t.judge.width : (c+1)*t.judge.width]) {
			t.judge.absent[c] = noPrototype
		}
	}
	if err := t.l.softOf(t.judge.soft, i, t.judge.grid.H, t.judge.grid.W); err != nil {
		return err
	}
	fillImages(t.judge.image, i.batch.Target)
	return t.judge.run(ctx)
}

// learn adds the gradient of L_dn, and moves the prototypes.
func (t *denoiseTerm) learn(ctx context.Context, i *iteration) error {
	j, size, c := t.judge, t.l.crops(), t.l.cfg.Loss
	rims := make([]losses.Rim, 0, size.N)
	for _, rows := range i.batch.TargetRows {
		rims = append(rims, losses.CropRim(rows.From, size.H, rows.Of, c.IgnoreTop, c.IgnoreBottom))
	}
	if err := losses.EncodeDenoised(t.labels, t.weights, j.denoised, rims, j.grid.H, j.grid.W, size.H); err != nil {
		return err
	}
	copy(t.targets, j.near)
	copy(t.rows, j.rows)
	copy(t.absent, j.absent)
	images := cloned(i.batch.Target)
	t.augment.Draw(rng.New(t.l.cfg.Seed, i.index, "denoise/augment")).Apply(images...)
	fillImages(t.image, images)
	loss, err := t.run(ctx, t.l.noise(i, configs.TermDenoise))
	if err != nil {
		return err
	}
	i.step.Losses[configs.TermDenoise] = loss
	t.l.noteStatistics(i, t.pass)
	return losses.FollowMeans(t.prototypes, j.sums, j.seen(), t.cfg.Momentum)
}

// denoiser is the teacher where soft labels are weighed by prototypes.
type denoiser struct {
	*program.Program
	grid  losses.Grid // of what the classifier reads
	width int         // D

	image    []float32 // [B,3,H,W]
	rows     []float32 // [C,D] prototypes
	absent   []float32 // [C]
	soft     []float32 // [B,C,h,w] soft labels; nil: the teacher's of now
	near     []float32 // [B,C,h,w] assignments to the prototypes
	denoised []uint8   // [B,h,w] labels
	labels   []uint8   // [B,h,w] the teacher's own
	sums     []float32 // [C,D] of the features of each of these
}

func newDenoiser(l *Learner) (*denoiser, error) {
	d := &denoiser{}
	var err error
	d.Program, d.image, err = l.state.onImages(l.engine, "teacher/denoise", l.state.teacher, l.arch, nets.Teacher, l.crops(), func(p *program.Program, net *nets.Net, image *graphs.Value) {
		g := p.Graph()
		features := net.Decode(net.Encode(net.Context(net.Normalize(image))))
		logits := net.Classify(features)
		d.grid, d.width = losses.Grid{N: features.Dim(0), D: features.Dim(1), H: features.Dim(2), W: features.Dim(3)}, features.Dim(1)
		rows, rowMemory := program.Input[float32](p, "prototypes", l.arch.Classes, d.width)
		absent, absentMemory := program.Input[float32](p, "absent", l.arch.Classes)
		d.rows, d.absent = rowMemory, absentMemory
		soft := g.Softmax(logits, 1)
		if l.soft != nil {
			soft, d.soft = program.Input[float32](p, "soft", logits.Shape()...)
		}
		near := g.Softmax(losses.PrototypeDistances(features, rows, absent, float32(l.cfg.Loss.Denoise.Temperature)), 1)
		d.near = program.Output[float32](p, "assignments", near)
		d.denoised = program.Output[uint8](p, "denoised", g.Cast(g.ArgMax(g.Mul(near, soft), 1, false), graphs.Uint8))
		own := g.ArgMax(logits, 1, false)
		d.labels = program.Output[uint8](p, "labels", g.Cast(own, graphs.Uint8))
		d.sums = program.Output[float32](p, "sums", losses.ClassSums(features, own, l.arch.Classes))
	})
	if err != nil {
		return nil, err
	}
	return d, nil
}

func (d *denoiser) run(ctx context.Context) error {
	if err := d.Run(ctx); err != nil {
		return fmt.Errorf("teacher/denoise: %w", err)
	}
	if !finite.All(d.near) || !finite.All(d.sums) {
		return NotFiniteError("teacher/denoise: its output is not finite")
	}
	return nil
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
