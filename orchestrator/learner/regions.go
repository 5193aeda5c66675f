package learner

import (
	"context"
	"fmt"

	"t2sda/configs"
	"t2sda/graphs"
	"t2sda/graphs/nets"
	"t2sda/graphs/program"
	"t2sda/internal/ranks"
	"t2sda/losses"
)

// regionsTerm is L_reg: what the student's projector makes of each region of a mixed target image
// is told from other regions by what the teacher's makes of the same place of the image as it is
// (RCCR, Zhou et al., ICME 2022). The images are those of L_T. Negatives are the whole batch's, and
// remembered ones.
type regionsTerm struct {
	*pass
	l         *Learner
	cfg       configs.Regions
	regions   losses.Regions
	negatives losses.Negatives
	memory    *ring // nil: none

	keys    []float32 // [A,R,D], the teacher's of all A images of the batch
	own     []int64   // [B,R]
	absent  []float32 // [B,memory+A·R]
	weights []float32 // [B,R]

	target  [][]bool // of each of this process's micro-batches [B·R]: regions that are the target's
	queries int      // of the batch
}

func regionsStages(l *Learner) ([]stage, error) {
	t, err := newRegions(l)
	if err != nil {
		return nil, err
	}
	name := Stage{configs.TermRegions, "contrast of regions of mixed target images, its gradient, and their memory"}
	stages := []stage{{planStage, plan, adapting, t.plan}, {name, learn, adapting, t.learn}}
	if t.memory != nil {
		stages = append(stages, stage{name, move, adapting, t.remember})
	}
	return stages, nil
}

// newRegions makes the term.
func newRegions(l *Learner) (*regionsTerm, error) {
	t := &regionsTerm{
		l: l, cfg: l.cfg.ContrastsRegions(), regions: *l.regions,
		target: make([][]bool, l.micros.mine),
	}
	t.negatives = losses.Negatives{
		Regions: t.regions.Count(), Memory: t.cfg.Memory,
		Within: t.cfg.Negatives != configs.NegativesAcross, Across: t.cfg.Negatives != configs.NegativesWithin,
	}
	if err := t.build(); err != nil {
		return nil, err
	}
	for k := range t.target {
		t.target[k] = make([]bool, len(t.own))
	}
	return t, nil
}

// build makes the memory and opens the student's pass.
func (t *regionsTerm) build() (err error) {
	l, width := t.l, t.l.arch.ProjectorWidth
	if t.cfg.Memory > 0 {
		if t.memory, err = l.newRing(configs.TermRegions, "loss.regions.memory", t.cfg.Memory, width); err != nil {
			return err
		}
	}
	size, each := l.crops(), t.regions.Count()
	t.pass, err = newPass(l.engine, configs.TermRegions, l.arch, size, l.state, func(p *program.Program, net *nets.Net, image *graphs.Value) (loss, objective *graphs.Value) {
		g, fresh := p.Graph(), l.micros.all*size.N*each
		queries := t.regions.Pool(net.Features(image))
		keys, keyMemory := program.Input[float32](p, "keys", fresh, width)
		if t.memory != nil {
			keys = g.Concat(0, program.InputOf(p, "memory", t.memory.rows, t.cfg.Memory, width), keys)
		}
		own, ownMemory := program.Input[int64](p, "own", size.N, each)
		absent, absentMemory := program.Input[float32](p, "absent", size.N, t.cfg.Memory+fresh)
		weights, weightMemory := program.Input[float32](p, "weights", size.N, each)
		t.keys, t.own, t.absent, t.weights = keyMemory, ownMemory, absentMemory, weightMemory
		loss = losses.RegionContrast(queries, keys, own, absent, weights, float32(t.cfg.Tau))
		return loss, g.Mul(loss, g.Scalar(float32(t.cfg.Weight)))
	})
	if err != nil {
		return err
	}
	l.own(t.pass)
	return nil
}

// plan gathers the keys of the whole batch, and counts which of all regions of mixed images are the
// target's.
func (t *regionsTerm) plan(_ context.Context, i *iteration) error {
	m := t.l.micros
	var mine []float32
	for k := range m.mine {
		mine = append(mine, t.l.target.of(k).regions...)
	}
	all, err := ranks.Gather(m.ranks, m.all, mine)
	if err != nil {
		return err
	}
	copy(t.keys, all)
	sum, err := sumOfAll(t.l, func(k int) ([]int64, error) {
		n, err := t.count(i, k)
		return []int64{n}, err
	})
	if err == nil {
		t.queries = int(sum[0])
	}
	return err
}

// count tells which regions of a micro-batch's mixed images, which are those of L_T, are the target's,
// and how many.
func (t *regionsTerm) count(i *iteration, micro int) (count int64, err error) {
	b, each := i.batches[micro], t.regions.Count()
	x, err := t.l.classMix(i, micro)
	if err != nil {
		return 0, err
	}
	for n, rim := range t.l.rims(b) {
		own := t.target[micro][n*each : (n+1)*each]
		t.regions.Target(own, x.pasted[n], b.Target[n].W, rim, t.cfg.Share)
		for _, is := range own {
			if is {
				count++
			}
		}
	}
	return count, nil
}

// learn adds the gradient of L_reg, a mean over the regions of the batch that are the target's.
func (t *regionsTerm) learn(ctx context.Context, i *iteration) error {
	each, images := t.regions.Count(), t.pass.images
	if t.memory != nil {
		t.negatives.Known = t.memory.known()
	}
	keys := len(t.absent) / images
	for n := range images {
		of := (t.l.micros.from+i.micro)*images + n // in the batch
		t.negatives.Encode(t.absent[n*keys:(n+1)*keys], of)
		for r := range each {
			at := n*each + r
			t.own[at], t.weights[at] = int64(t.negatives.Own(of, r)), 0
			if t.target[i.micro][at] {
				t.weights[at] = 1 / float32(t.queries)
			}
		}
	}
	x, err := t.l.classMix(i, i.micro)
	if err != nil {
		return err
	}
	fillImages(t.image, x.images)
	loss, err := t.run(ctx, t.l.noise(i, configs.TermRegions))
	i.step.Losses[configs.TermRegions] = loss
	return err
}

// remember puts the batch's regions in place of the oldest ones.
func (t *regionsTerm) remember(context.Context, *iteration) error {
	t.memory.put(t.keys)
	return nil
}

// makeRegions divides crops where the method asks for it.
func (l *Learner) makeRegions() error {
	if !l.cfg.UsesRegions() {
		return nil
	}
	crop, size := l.cfg.Data.Crop, l.cfg.Loss.Regions.Size
	grid, err := featureGrid(l.arch, l.crops())
	if err != nil {
		return err
	}
	dividing := func(size int) *losses.Regions {
		r := &losses.Regions{Rows: crop.Height / size, Columns: crop.Width / size}
		if crop.Height%size != 0 || crop.Width%size != 0 || !r.Divide(grid.H, grid.W) {
			return nil
		}
		return r
	}
	if l.regions = dividing(size); l.regions != nil {
		return nil
	}
	var fit []int
	for s := 1; s <= min(crop.Width, crop.Height); s++ {
		if r := dividing(s); r != nil && r.Count() > 1 {
			fit = append(fit, s)
		}
	}
	if len(fit) == 0 {
		return fmt.Errorf("loss.regions.size: no regions divide both the crop of %d×%d px and the projector's %d×%d features of it: want another data.crop", crop.Width, crop.Height, grid.W, grid.H)
	}
	return fmt.Errorf("loss.regions.size: regions of %d×%[1]d px do not consist of whole cells of the projector's %d×%d features: want one of %v", size, grid.W, grid.H, fit)
}
