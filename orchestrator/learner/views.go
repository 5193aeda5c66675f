package learner

import (
	"context"
	"errors"
	"fmt"

	"t2sda/configs"
	"t2sda/datasets"
	"t2sda/graphs"
	"t2sda/graphs/engine"
	"t2sda/graphs/nets"
	"t2sda/graphs/program"
	"t2sda/graphs/weights"
	"t2sda/internal/rng"
	"t2sda/losses"
	"t2sda/translate"
)

// viewsTerm is L_views: the cross-entropy on target images, strongly augmented, with labels
// of the mean of what the teacher says of several views of each (SAC, Araslanov and Roth, CVPR
// 2021).
type viewsTerm struct {
	l       *Learner
	cfg     configs.Views
	rule    losses.Discount
	augment translate.StrongAugment
	teacher *viewer
	kept    []seen    // of this process's micro-batches
	prior   []float32 // [C] χ
}

// seen is what the teacher's views of a micro-batch amount to.
type seen struct {
	pseudo     []uint8   // [B,H,W]
	confidence []float32 // [B,H,W]
	mean       []float64 // [C+1], shares of the probabilities in all views outside of rims, and of all
}

func viewsStages(l *Learner) ([]stage, error) {
	c := l.cfg.Loss.Views
	t := &viewsTerm{l: l, cfg: c, augment: translate.DefaultStrongAugment(), kept: make([]seen, l.micros.mine), prior: make([]float32, l.arch.Classes)}
	t.rule = losses.Discount{Upper: c.Upper, Lower: c.Lower, Beta: c.Beta, Focal: c.Focal}
	for i := range t.prior {
		t.prior[i] = float32(c.Beta)
	}
	l.remember(weights.Tensor{Name: "views.prior", Shape: []int{len(t.prior)}, Data: t.prior})
	var err error
	if t.teacher, err = newViewer(l); err != nil {
		return nil, err
	}
	l.own(t.teacher)
	return []stage{
		{teacherStage, look, adapting, t.look},
		{planStage, plan, adapting, t.follow},
		{Stage{configs.TermViews, "loss on target images with labels of several views, and its gradient"}, learn, adapting, t.learn},
	}, t.augment.Validate()
}

// look asks the teacher about the views of a micro-batch: the images as they are, and windows.
func (t *viewsTerm) look(ctx context.Context, i *iteration) error {
	k := &t.kept[i.micro]
	k.mean = make([]float64, t.l.arch.Classes+1)
	rims, each := t.l.rims(i.batch), 1/float64(t.cfg.Views*t.l.micros.all)
	t.teacher.begin()
	for v := range t.cfg.Views {
		if err := t.teacher.show(ctx, i.batch, t.windows(i, v), rims); err != nil {
			return err
		}
		for c, p := range t.teacher.mean {
			k.mean[c] += float64(p) * each
		}
		k.mean[len(k.mean)-1] += t.teacher.share() * each
	}
	if err := t.teacher.label(ctx); err != nil {
		return err
	}
	k.pseudo = append(k.pseudo[:0], t.teacher.pseudo...)
	k.confidence = append(k.confidence[:0], t.teacher.confidence...)
	return nil
}

// windows draws view v of a micro-batch's images. The first view is all of them.
func (t *viewsTerm) windows(i *iteration, v int) []window {
	out, size, least := make([]window, len(i.batch.Target)), t.l.crops(), t.cfg.Zoom
	if v == 0 {
		least = 1
	}
	for n := range out {
		out[n] = drawWindow(rng.New(t.l.cfg.Seed, i.index, fmt.Sprintf("views/%d/%d", v, i.batch.First+n)), size.H, size.W, least)
	}
	return out
}

// follow moves χ by all views of the batch.
func (t *viewsTerm) follow(_ context.Context, i *iteration) error {
	mean, err := sumOfAll(t.l, func(k int) ([]float64, error) { return t.kept[k].mean, nil })
	if err != nil {
		return err
	}
	mean, inside := mean[:len(t.prior)], mean[len(t.prior)]
	if inside == 0 {
		return nil // all of the batch is rim
	}
	for c := range mean {
		mean[c] /= inside
	}
	losses.FollowPrior(t.prior, mean, t.cfg.Momentum, float32(t.cfg.Beta))
	return nil
}

// learn adds the gradient of L_views.
func (t *viewsTerm) learn(ctx context.Context, i *iteration) error {
	selected, err := t.encode(i)
	if err != nil {
		return err
	}
	i.step.Selected = selected / float64(t.l.micros.all)
	images := t.l.augmented(t.augment, configs.TermViews, i.index, i.batch)
	loss, err := t.l.supervised.learn(ctx, i, configs.TermViews, images, losses.AllPixels)
	i.step.Losses[configs.TermViews] = loss / t.cfg.Weight
	return err
}

// encode fills labels and weights of the student's pass, and returns which share of the pixels
// has a weight.
func (t *viewsTerm) encode(i *iteration) (float64, error) {
	s, size, k := t.l.supervised, t.l.crops(), &t.kept[i.micro]
	all, area := 0, size.H*size.W
	each := t.cfg.Weight / float64(t.l.micros.all*size.N*area)
	for n, rim := range t.l.rims(i.batch) {
		from, to := n*area, (n+1)*area
		selected, err := t.rule.Encode(s.labels[from:to], s.weights[from:to], k.pseudo[from:to], k.confidence[from:to], t.prior, size.W, rim, each)
		if err != nil {
			return 0, err
		}
		all += selected
	}
	return float64(all) / float64(size.N*area), nil
}

// viewer is the teacher where views of images are averaged.
type viewer struct {
	views, labels *program.Program

	size          imageBatch
	image         []float32 // [B,3,H,W]
	rows, columns []float32 // [B,1,h,h], [B,1,w,w]: what brings a view back to the image
	grid          losses.Grid
	total         []float32 // [B,C,h,w], sums of probabilities so far
	inside        []float32 // [B,1,h,1]: 1 at rows of a view that show no rim
	mean          []float32 // [C], of the last view's there, over all positions
	pseudo        []uint8   // [B,H,W]
	confidence    []float32 // [B,H,W]
}

func newViewer(l *Learner) (*viewer, error) {
	v := &viewer{size: l.crops()}
	var total *engine.Tensor
	var err error
	v.views, v.image, err = l.state.onImages(l.engine, "teacher/views", l.state.teacher, l.arch, nets.Teacher, v.size, func(p *program.Program, net *nets.Net, image *graphs.Value) {
		x := net.Normalize(image)
		logits := net.Predict(x, net.Encode(net.Context(x)))
		v.grid = gridOf(logits)
		v.total = make([]float32, logits.Shape().Size())
		if total, err = engine.NewTensor(v.total, logits.Shape()...); err != nil {
			panic(&graphs.Error{Op: "views", Node: logits.Name(), Message: err.Error()})
		}
		v.build(p, logits, total)
	})
	if err != nil {
		return nil, err
	}
	v.labels, err = program.New(l.engine, "teacher/views/labels", nil, func(p *program.Program) {
		g := p.Graph()
		sums := p.Resident("total", total)
		share := g.Resize(g.Div(sums, g.ReduceSum(sums, []int{1}, true)), v.size.H, v.size.W, "linear")
		v.confidence = program.Output[float32](p, "confidence", g.ReduceMax(share, []int{1}, false))
		v.pseudo = program.Output[uint8](p, "labels", g.Cast(g.ArgMax(share, 1, false), graphs.Uint8))
	})
	if err != nil {
		return nil, errors.Join(err, v.views.Close())
	}
	return v, nil
}

// build adds a view's probabilities, brought back to the image, to the total.
func (v *viewer) build(p *program.Program, logits *graphs.Value, total *engine.Tensor) {
	g := p.Graph()
	g.Exact(func() {
		share := g.Softmax(logits, 1)
		inside, insideMemory := program.Input[float32](p, "inside", v.grid.N, 1, v.grid.H, 1)
		v.inside = insideMemory
		v.mean = program.Output[float32](p, "mean", g.ReduceMean(g.Mul(share, inside), []int{0, 2, 3}, false))
		rows, rowMemory := program.Input[float32](p, "rows", v.grid.N, 1, v.grid.H, v.grid.H)
		columns, columnMemory := program.Input[float32](p, "columns", v.grid.N, 1, v.grid.W, v.grid.W)
		v.rows, v.columns = rowMemory, columnMemory
		p.Add("total", g.MatMul(rows, g.MatMul(share, g.Transpose(columns, 0, 1, 3, 2))), total)
	})
}

// begin forgets the views so far.
func (v *viewer) begin() { clear(v.total) }

// show adds a view of the images, of those rims.
func (v *viewer) show(ctx context.Context, b *datasets.Batch, windows []window, rims []losses.Rim) error {
	pixels, h, w := 3*v.size.H*v.size.W, v.grid.H, v.grid.W
	for n, m := range b.Target {
		k := windows[n]
		k.show(v.image[n*pixels:(n+1)*pixels], m)
		back(v.rows[n*h*h:(n+1)*h*h], h, v.size.H, k.y, k.h, false)
		back(v.columns[n*w*w:(n+1)*w*w], w, v.size.W, k.x, k.w, k.flip)
		for row := range h {
			v.inside[n*h+row] = 1
			if rims[n].Holds(k.y+(2*row+1)*k.h/(2*h), v.size.H) {
				v.inside[n*h+row] = 0
			}
		}
	}
	return runFinite(ctx, v.views, "teacher/views", v.mean)
}

// share returns which part of the last view's rows shows no rim.
func (v *viewer) share() float64 {
	sum := 0.0
	for _, inside := range v.inside {
		sum += float64(inside)
	}
	return sum / float64(len(v.inside))
}

// label makes labels and confidences of the mean of the views.
func (v *viewer) label(ctx context.Context) error {
	if err := v.labels.Run(ctx); err != nil {
		return fmt.Errorf("teacher/views: %w", err)
	}
	return nil
}

// Close frees the sessions.
func (v *viewer) Close() error { return errors.Join(v.views.Close(), v.labels.Close()) }
