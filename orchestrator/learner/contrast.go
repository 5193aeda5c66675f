package learner

import (
	"context"

	"t2sda/configs"
	"t2sda/datasets"
	"t2sda/graphs"
	"t2sda/graphs/nets"
	"t2sda/graphs/program"
	"t2sda/graphs/weights"
	"t2sda/internal/raster"
	"t2sda/losses"
)

// contrastTerm is L_con: the student's features of source images, by their labels, and of
// target images, by the teacher's, go to anchors of their class, which are moving means of
// the teacher's features of source images.
type contrastTerm struct {
	*pass
	l    *Learner
	cfg  configs.Contrast
	keys *anchors
	grid losses.Grid

	labels  []uint8   // [B,h,w]
	weights []float32 // [B,h,w]
	means   []float32 // [C,D] the anchors; 0: the class was not seen yet
	fed     []float32 // [C,D], what the pass reads of them
	absent  []float32 // [C]
	small   []uint8   // [B,h,w] labels at the grid

	seen    [][]float64 // of each of this process's micro-batches: sums of features [C,D], and how many of each class
	usable  []bool      // [C] classes that have an anchor
	counted [2]int      // positions of the source and of the target that count in the batch; 0: in the micro-batch alone
}

// noAnchor is the logit of a class without an anchor: nothing beside any other.
const noAnchor = -1e4

func contrastStages(l *Learner) ([]stage, error) {
	t := &contrastTerm{l: l, cfg: l.cfg.Contrasts(), seen: make([][]float64, l.micros.mine), usable: make([]bool, l.arch.Classes)}
	var err error
	if t.keys, err = newAnchors(l); err != nil {
		return nil, err
	}
	l.own(t.keys)
	t.grid = t.keys.grid
	t.means, t.small = make([]float32, len(t.keys.sums)), make([]uint8, t.grid.Positions())
	l.remember(weights.Tensor{Name: "contrast.anchors", Shape: []int{l.arch.Classes, t.grid.D}, Data: t.means})
	if err := t.build(); err != nil {
		return nil, err
	}
	return []stage{
		{teacherStage, look, adapting, t.look},
		{planStage, plan, adapting, t.follow},
		{Stage{configs.TermContrast, "distance of features to their class's anchor, and its gradient"}, learn, adapting, t.learn},
	}, nil
}

// build opens the student's pass.
func (t *contrastTerm) build() (err error) {
	l, size, grid := t.l, t.l.crops(), t.grid
	t.pass, err = newPass(l.engine, configs.TermContrast, l.arch, size, l.state, func(p *program.Program, net *nets.Net, image *graphs.Value) (loss, objective *graphs.Value) {
		features := net.Features(image)
		labels, labelMemory := program.Labels(p, "labels", grid.N, grid.H, grid.W)
		weights, weightMemory := program.Input[float32](p, "weights", grid.N, grid.H, grid.W)
		means, fed := program.Input[float32](p, "anchors", l.arch.Classes, grid.D)
		t.labels, t.weights, t.fed = labelMemory, weightMemory, fed
		if t.cfg.Kind == configs.ContrastMSE {
			loss = losses.AnchorDistance(features, means, labels, weights)
		} else {
			absent, memory := program.Input[float32](p, "absent", l.arch.Classes)
			t.absent = memory
			loss = losses.PrototypeContrast(features, means, absent, labels, weights, float32(t.cfg.Tau))
		}
		return loss, p.Graph().Mul(loss, p.Graph().Scalar(float32(t.cfg.Weight)))
	})
	if err != nil {
		return err
	}
	l.own(t.pass)
	return nil
}

// toGrid brings labels to the feature grid, where three quarters of a cell are of one class
// (SePiCo's public code).
func (t *contrastTerm) toGrid(labels []uint8) error {
	size := t.l.crops()
	return losses.GridLabels(t.small, labels, size.N, size.H, size.W, t.grid.H, t.grid.W, losses.Majority)
}

// look sums up the teacher's features of a micro-batch's source images.
func (t *contrastTerm) look(ctx context.Context, i *iteration) error {
	if err := t.toGrid(flatten(i.batch.SourceLabels)); err != nil {
		return err
	}
	counts, err := t.keys.run(ctx, i.batch.Source, t.small)
	if err != nil {
		return err
	}
	seen := make([]float64, 0, len(t.keys.sums)+len(counts))
	for _, v := range t.keys.sums {
		seen = append(seen, float64(v))
	}
	for _, n := range counts {
		seen = append(seen, float64(n))
	}
	t.seen[i.micro] = seen
	return nil
}

// follow moves the anchors by the whole batch.
func (t *contrastTerm) follow(_ context.Context, i *iteration) error {
	all, err := sumOfAll(t.l, func(k int) ([]float64, error) { return t.seen[k], nil })
	if err != nil {
		return err
	}
	sums, counts := make([]float32, len(t.means)), make([]int, t.l.arch.Classes)
	for i := range sums {
		sums[i] = float32(all[i])
	}
	for c := range counts {
		counts[c] = int(all[len(sums)+c])
	}
	if err := losses.FollowMeans(t.means, sums, counts, t.cfg.Momentum); err != nil {
		return err
	}
	for c := range t.usable {
		t.usable[c] = losses.HasAnchor(t.means[c*t.grid.D : (c+1)*t.grid.D])
	}
	return t.count(i)
}

// count sums up how many positions of each domain count in a batch of several micro-batches.
func (t *contrastTerm) count(i *iteration) error {
	if !t.l.spread() {
		return nil
	}
	sum, err := sumOfAll(t.l, func(k int) ([]int64, error) {
		b := i.batches[k]
		var n [2]int64
		for domain, labels := range [][]uint8{flatten(b.SourceLabels), t.targetLabels(b, t.l.target.of(k))} {
			if err := t.toGrid(labels); err != nil {
				return nil, err
			}
			counted, err := losses.EncodeAnchored(t.labels, t.weights, t.small, t.usable, 0)
			if err != nil {
				return nil, err
			}
			n[domain] = int64(counted)
		}
		return n[:], nil
	})
	if err != nil {
		return err
	}
	t.counted = [2]int{max(int(sum[0]), 1), max(int(sum[1]), 1)}
	return nil
}

// learn adds the gradient of both domains' part.
func (t *contrastTerm) learn(ctx context.Context, i *iteration) error {
	copy(t.fed, t.means)
	for c := range t.absent {
		t.absent[c] = 0
		if !t.usable[c] {
			t.absent[c] = noAnchor
		}
	}
	source, err := t.learnOn(ctx, i, "source", i.batch.Source, flatten(i.batch.SourceLabels), t.counted[0])
	if err != nil {
		return err
	}
	target, err := t.learnOn(ctx, i, "target", i.batch.Target, t.targetLabels(i.batch, t.l.target.of(i.micro)), t.counted[1])
	i.step.Losses[configs.TermContrast] = source + target
	return err
}

// learnOn adds the gradient of one domain's part, a mean over of positions (0: those that count
// here).
func (t *contrastTerm) learnOn(ctx context.Context, i *iteration, domain string, images []*raster.Image, labels []uint8, of int) (float64, error) {
	if err := t.toGrid(labels); err != nil {
		return 0, err
	}
	if _, err := losses.EncodeAnchored(t.labels, t.weights, t.small, t.usable, of); err != nil {
		return 0, err
	}
	fillImages(t.image, images)
	return t.run(ctx, t.l.noise(i, configs.TermContrast+"/"+domain))
}

// targetLabels are the teacher's, those below the least confidence void, and those of rims.
func (t *contrastTerm) targetLabels(b *datasets.Batch, teacher said) []uint8 {
	size := t.l.crops()
	out := make([]uint8, 0, len(teacher.pseudo))
	for n, rim := range t.l.rims(b) {
		for p := range size.H * size.W {
			at := n*size.H*size.W + p
			label := teacher.pseudo[at]
			if float64(teacher.confidence[at]) < t.cfg.Confidence || rim.Holds(p/size.W, size.H) {
				label = raster.Void
			}
			out = append(out, label)
		}
	}
	return out
}

// anchors is the teacher where its features are summed up by class.
type anchors struct {
	*program.Program
	grid   losses.Grid
	image  []float32 // [B,3,H,W]
	labels []uint8   // [B,h,w]
	sums   []float32 // [C,D]
}

func newAnchors(l *Learner) (*anchors, error) {
	a, size := &anchors{}, l.crops()
	var err error
	a.Program, a.image, err = l.state.onImages(l.engine, "teacher/anchors", l.state.teacher, l.arch, nets.Teacher, size, func(p *program.Program, net *nets.Net, image *graphs.Value) {
		features := net.Features(image)
		a.grid = gridOf(features)
		labels, memory := program.Labels(p, "labels", a.grid.N, a.grid.H, a.grid.W)
		a.labels, a.sums = memory, program.Output[float32](p, "sums", losses.ClassSums(features, labels, l.arch.Classes))
	})
	if err != nil {
		return nil, err
	}
	return a, nil
}

// run sums up and counts the features of images with labels at the grid.
func (a *anchors) run(ctx context.Context, images []*raster.Image, labels []uint8) (counts []int, err error) {
	counts = make([]int, len(a.sums)/a.grid.D)
	copy(a.labels, labels)
	for _, label := range labels {
		if int(label) < len(counts) {
			counts[label]++
		}
	}
	fillImages(a.image, images)
	return counts, runFinite(ctx, a.Program, "teacher/anchors", a.sums)
}
