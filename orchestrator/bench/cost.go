package bench

import (
	"fmt"
	"io"

	"t2sda/configs"
	"t2sda/datasets"
	"t2sda/graphs"
	"t2sda/graphs/nets"
	"t2sda/internal/texttable"
	"t2sda/orchestrator/learner"
)

// Traffic is what ranks of one micro-batch each tell each other in an iteration, bytes.
type Traffic struct {
	Gradients int64 // which are summed up
	Told      int64 // by each rank to all others: what the pull's plan asks of its positions and features
	Drawn     int64 // features of negatives, by all ranks together to all
}

// TrafficOf returns the traffic of a configuration's network and method.
func TrafficOf(cfg configs.Config) (t Traffic, err error) {
	arch := learner.Arch(cfg, len(datasets.Cityscapes19().Classes))
	if t.Gradients, err = gradientBytes(arch); err != nil || !cfg.UsesPull() {
		return t, err
	}
	positions := 0
	_, err = graphs.Build("features", func(g *graphs.Graph) {
		image := g.Input("image", graphs.Float32, cfg.Train.Batch, 3, cfg.Data.Crop.Height, cfg.Data.Crop.Width)
		f := nets.New(g, arch, nets.Teacher, nil).Features(image) // [N,D,h,w]
		positions = f.Dim(0) * f.Dim(2) * f.Dim(3)
	})
	const float32s, float64s = 4, 8
	classes, width := int64(arch.Classes), int64(arch.ProjectorWidth)
	// A label of the source, a label and a confidence of the target.
	t.Told = int64(positions)*(1+1+float32s) + classes*width*float64s
	t.Drawn = classes * int64(cfg.Loss.Pull.Negatives) * width * float32s
	return t, err
}

// gradientBytes is the size of an arena of gradients on the host.
func gradientBytes(arch nets.Arch) (int64, error) {
	specs, err := arch.Params()
	n := 0
	for _, p := range specs {
		n += p.Shape.Size()
	}
	return 4 * int64(n), err
}

// Links are how ranks are connected: those of a node by links of their own, nodes by one
// link each.
type Links struct {
	Ranks, PerNode  int
	Inside, Between float64 // bytes/s and direction, of a rank's link and of a node's
	Latency         float64 // s, of a message
}

// inside is how many ranks share a node.
func (l Links) inside() int { return min(l.Ranks, l.PerNode) }

// slowest is the bandwidth of what a ring passes.
func (l Links) slowest() float64 {
	if l.Ranks <= l.PerNode {
		return l.Inside
	}
	return min(l.Inside, l.Between)
}

// Ring is the time, s, of a sum by a ring, which crosses each link once: 2·(R−1) messages
// of an R-th one after the other (Patarasuk & Yuan, J. Parallel Distrib. Comput. 69, 2009).
func (l Links) Ring(bytes int64) float64 {
	r := float64(l.Ranks)
	return 2 * (r - 1) * (float64(bytes)/r/l.slowest() + l.Latency)
}

// chunk is how much [ranks.Group.Add] sums up at a time, bytes.
const chunk = 16 << 20

// TwoSteps is the time, s, of a sum in a fixed order, as [ranks.Group.Add] has it: each rank
// sends a part to each other one and then the sum of its part, all ranks of a node through
// the node's one link.
func (l Links) TwoSteps(bytes int64) float64 {
	r, k := float64(l.Ranks), float64(l.inside())
	part := float64(bytes) / r
	steps := float64((bytes + chunk - 1) / chunk)
	return 2 * (max((k-1)*part/l.Inside, k*(r-k)*part/l.Between) + steps*(r-1)*l.Latency)
}

// Gather is the time, s, until all ranks have what each tells, by a ring.
func (l Links) Gather(each int64) float64 {
	return float64(l.Ranks-1) * (float64(each)/l.slowest() + l.Latency)
}

// Others is the time, s, of what is told besides gradients.
func (l Links) Others(t Traffic) float64 {
	return l.Gather(t.Told) + l.Gather(t.Drawn/int64(l.Ranks))
}

// Network is a way to connect nodes.
type Network struct {
	Name    string
	Between float64 // as in [Links]
}

// Cost writes a table of what an iteration takes that computes for so many seconds, by
// numbers of ranks and, where those are of several nodes, networks. Of l the ranks and the
// link between nodes are the table's. Nothing is taken to overlap.
func Cost(w io.Writer, t Traffic, compute float64, l Links, ranks []int, networks []Network) error {
	rows := [][]string{{"ranks", "between nodes", "gradients, ring", "gradients, two steps", "the rest", "iteration, ring", "efficiency", "two steps", "efficiency"}}
	for _, l.Ranks = range ranks {
		over := networks
		if l.Ranks <= l.PerNode {
			over = []Network{{"–", l.Inside}}
		}
		for _, n := range over {
			l.Between = n.Between
			ring, two, rest := l.Ring(t.Gradients), l.TwoSteps(t.Gradients), l.Others(t)
			row := []string{fmt.Sprint(l.Ranks), n.Name, seconds(ring), seconds(two), seconds(rest)}
			for _, all := range []float64{compute + ring + rest, compute + two + rest} {
				row = append(row, seconds(all), fmt.Sprintf("%.0f %%", 100*compute/all))
			}
			rows = append(rows, row)
		}
	}
	_, err := io.WriteString(w, texttable.Markdown(rows))
	return err
}

func seconds(s float64) string { return fmt.Sprintf("%.3f s", s) }
