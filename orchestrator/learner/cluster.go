package learner

import (
	"math"
	"math/rand/v2"
	"slices"

	"t2sda/configs"
	"t2sda/graphs"
	"t2sda/graphs/program"
	"t2sda/graphs/weights"
	"t2sda/losses"
)

// clusters is what CPSL (Li et al., CVPR 2022) adds to denoised labels: some positions of target
// images are assigned to the prototypes, together with remembered ones, so that classes have the
// shares that the round's labels have, and the student's features learn these assignments.
type clusters struct {
	cfg     configs.Cluster
	classes int

	memory *ring     // features of unit length
	prior  []float32 // [C] shares of the classes

	targets   []float32 // [B,C,h,w] assignments
	positions []float32 // [B,1,h,w] 1 over their number at the positions that were drawn
}

func clusterStages(l *Learner) ([]stage, error) {
	c := l.cfg.Loss.Cluster
	common := configs.Denoise{
		Weight: c.Weight, Temperature: c.Temperature, Momentum: c.Momentum,
		Cross: c.Cross, Reverse: c.Reverse, Consistency: c.Consistency,
	}
	return newDenoise(l, &denoiseTerm{l: l, name: configs.TermCluster, cfg: common, clusters: &clusters{cfg: c, classes: l.arch.Classes}})
}

// open makes what lasts from iteration to iteration.
func (k *clusters) open(l *Learner, t *denoiseTerm) (err error) {
	if k.memory, err = l.newRing(t.name, "loss.cluster.memory", k.cfg.Memory, t.judge.grid.D); err != nil {
		return err
	}
	k.prior = make([]float32, k.classes)
	for c := range k.prior {
		k.prior[c] = 1 / float32(k.classes)
	}
	l.remember(weights.Tensor{Name: t.name + ".prior", Shape: []int{k.classes}, Data: k.prior})
	return nil
}

// beginRound takes the classes' shares from the round's labels, which the histogram counts.
func (k *clusters) beginRound(total *Total) {
	var all int64
	counts := make([]int64, k.classes)
	for c, levels := range total.Histogram {
		for _, n := range levels {
			counts[c] += n
		}
		all += counts[c]
	}
	for c, n := range counts {
		k.prior[c] = float32(float64(n) / float64(max(all, 1)))
	}
}

// loss builds λ times the cross-entropy of the student's assignments, of those logits.
func (k *clusters) loss(p *program.Program, near *graphs.Value) *graphs.Value {
	n, h, w := near.Dim(0), near.Dim(2), near.Dim(3)
	targets, targetMemory := program.Input[float32](p, "clusters", n, k.classes, h, w)
	positions, positionMemory := program.Input[float32](p, "positions", n, 1, h, w)
	k.targets, k.positions = targetMemory, positionMemory
	g := p.Graph()
	return g.Mul(losses.SoftCrossEntropy(near, targets, positions), g.Scalar(float32(k.cfg.Clusters)))
}

// assign draws among the positions of each image, assigns them to the prototypes, and remembers
// them.
func (k *clusters) assign(d *denoiser, positions [][]int, r *rand.Rand) error {
	area, width := d.grid.H*d.grid.W, d.grid.D
	var places []int // in the batch's map
	for n, of := range positions {
		for _, at := range r.Perm(len(of))[:min(k.cfg.Samples, len(of))] {
			places = append(places, n*area+of[at])
		}
	}
	fresh := make([]float32, len(places)*width)
	for i, at := range places {
		row := fresh[i*width : (i+1)*width]
		for c := range row {
			row[c] = d.features[(at/area*width+c)*area+at%area]
		}
		toUnit(row)
	}
	known := k.memory.known()
	scores := append(k.scores(k.memory.rows[:known*width], d), k.scores(fresh, d)...)
	prior := make([]float64, k.classes)
	for c, p := range k.prior {
		if d.absent[c] == 0 {
			prior[c] = float64(p)
		}
	}
	clear(k.targets)
	clear(k.positions)
	if len(places) == 0 || !slices.ContainsFunc(prior, func(p float64) bool { return p > 0 }) {
		k.memory.put(fresh)
		return nil // all is rim, or no class has a prototype yet
	}
	q, err := losses.Sinkhorn(scores, prior, k.cfg.Epsilon, k.cfg.Balance)
	if err != nil {
		return err
	}
	q = q[known*k.classes:]
	for i, at := range places {
		k.positions[at] = 1 / float32(len(places))
		for c := range k.classes {
			k.targets[(at/area*k.classes+c)*area+at%area] = float32(q[i*k.classes+c])
		}
	}
	k.memory.put(fresh)
	return nil
}

// scores returns the cosines of rows [n,D] of unit length with the prototypes, [n,C].
func (k *clusters) scores(rows []float32, d *denoiser) []float32 {
	width := d.grid.D
	out := make([]float32, len(rows)/width*k.classes)
	inParallel(0, len(rows)/width, func(from, to int) {
		for i := from; i < to; i++ {
			for c := range k.classes {
				var dot float32
				for j, p := range d.rows[c*width : (c+1)*width] {
					dot += p * rows[i*width+j]
				}
				out[i*k.classes+c] = dot
			}
		}
	})
	return out
}

// toUnit scales a row to length 1, unless it is 0.
func toUnit(row []float32) {
	var sum float64
	for _, v := range row {
		sum += float64(v) * float64(v)
	}
	if sum == 0 {
		return
	}
	scale := float32(1 / math.Sqrt(sum))
	for i := range row {
		row[i] *= scale
	}
}
