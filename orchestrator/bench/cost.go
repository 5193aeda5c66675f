package bench

import (
	"fmt"
	"io"
	"math"

	"t2sda/internal/ranks"
	"t2sda/internal/texttable"
	"t2sda/orchestrator/learner"
)

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

// AtOnce is the time, s, of a sum in a fixed order that ranks make who are placed anyhow
// ([ranks.Group.Add]): each sends a part to each other one and then the sum of its part, all
// ranks of a node through the node's one link, so many bytes at a time.
func (l Links) AtOnce(bytes, block int64) float64 {
	r, k := float64(l.Ranks), float64(l.inside())
	part := float64(bytes) / r
	return 2 * (max((k-1)*part/l.Inside, k*(r-k)*part/l.Between) + steps(bytes, block)*(r-1)*l.Latency)
}

// ByNode is the time, s, of the same sum where the ranks of a node add up with each other first,
// and then each its part with those of the other nodes. It is that of [Links.AtOnce] where they
// do not.
func (l Links) ByNode(bytes, block int64) float64 {
	nodes, each := l.Ranks/l.inside(), l.inside()
	if l.Ranks%each != 0 || !ranks.Nests(nodes, each) {
		return l.AtOnce(bytes, block)
	}
	n, k := float64(nodes), float64(each)
	transfers := (k-1)/k/l.Inside + (n-1)/n/l.Between
	return 2 * (float64(bytes)*transfers + steps(bytes, block)*(k-1+n-1)*l.Latency)
}

// steps is how often so many bytes are added up.
func steps(bytes, block int64) float64 { return float64((bytes + block - 1) / block) }

// Gather is the time, s, until all ranks have what each tells, by a ring.
func (l Links) Gather(each int64) float64 {
	if each == 0 {
		return 0
	}
	return float64(l.Ranks-1) * (float64(each)/l.slowest() + l.Latency)
}

// Meet is the time, s, until all ranks have a few bytes of each: as many messages one after the
// other as doubling what a rank knows takes (Bruck et al., IEEE Trans. Parallel Distrib. Syst. 8,
// 1997).
func (l Links) Meet() float64 { return math.Ceil(math.Log2(float64(l.Ranks))) * l.Latency }

// Others is the time, s, of what is told besides gradients.
func (l Links) Others(t learner.Traffic) float64 {
	return l.Gather(t.Told) + l.Gather(t.Statistics) + l.Gather(t.Drawn/int64(l.Ranks)) + float64(t.Meetings)*l.Meet()
}

// Network is a way to connect nodes.
type Network struct {
	Name    string
	Between float64 // as in [Links]
}

// Cost writes a table of what an iteration takes that computes for so many seconds, by
// numbers of ranks and, where those are of several nodes, networks. Of l the ranks and the
// link between nodes are the table's. Nothing is taken to overlap.
func Cost(w io.Writer, t learner.Traffic, compute float64, l Links, sizes []int, networks []Network) error {
	rows := [][]string{{"ranks", "between nodes", "gradients, ring", "by node", "at once", "the rest", "iteration, ring", "efficiency", "by node", "efficiency", "at once", "efficiency"}}
	for _, l.Ranks = range sizes {
		over := networks
		if l.Ranks <= l.PerNode {
			over = []Network{{"–", l.Inside}}
		}
		for _, n := range over {
			l.Between = n.Between
			sums := []float64{l.Ring(t.Gradients), l.ByNode(t.Gradients, t.Block), l.AtOnce(t.Gradients, t.Block)}
			rest := l.Others(t)
			row := []string{fmt.Sprint(l.Ranks), n.Name}
			for _, s := range sums {
				row = append(row, seconds(s))
			}
			row = append(row, seconds(rest))
			for _, s := range sums {
				all := compute + s + rest
				row = append(row, seconds(all), fmt.Sprintf("%.0f %%", 100*compute/all))
			}
			rows = append(rows, row)
		}
	}
	_, err := io.WriteString(w, texttable.Markdown(rows))
	return err
}

func seconds(s float64) string { return fmt.Sprintf("%.3f s", s) }
