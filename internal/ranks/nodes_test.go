package ranks_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"t2sda/internal/ranks"
	"t2sda/internal/ranks/rankstest"
)

// nested writes how things are added up that belong to nodes: those of a node first, in their
// order, then nodes, in the order of their first things.
func nested(nodes []string) string {
	var names, sums []string
	own := map[string][]string{}
	for thing, node := range nodes {
		if own[node] == nil {
			names = append(names, node)
		}
		own[node] = append(own[node], fmt.Sprint(thing))
	}
	for _, name := range names {
		sums = append(sums, bracketOf(own[name]))
	}
	return bracketOf(sums)
}

func bracketOf(terms []string) string {
	terms = slices.Clone(terms)
	ranks.Fold(len(terms), func(i, j int) { terms[i] = "(" + terms[i] + "+" + terms[j] + ")" })
	return terms[0]
}

// TestNests: groups nest just where both ways to add up are one.
func TestNests(t *testing.T) {
	for groups := 1; groups <= 12; groups++ {
		for each := 1; each <= 20; each++ {
			var nodes []string
			for thing := range groups * each {
				nodes = append(nodes, fmt.Sprint(thing/each))
			}
			if have, want := ranks.Nests(groups, each), nested(nodes) == bracket(0, groups*each); have != want {
				t.Errorf("%d groups of %d: %t", groups, each, have)
			}
		}
	}
}

// placements calls f with all ways to place so many ranks on so many nodes.
func placements(size, nodes int, f func(nodes []string)) {
	all := int(math.Pow(float64(nodes), float64(size)))
	for code := range all {
		names := make([]string, size)
		for rank := range names {
			names[rank] = string(rune('a' + code%nodes))
			code /= nodes
		}
		f(names)
	}
}

// TestPlacements: of all placements, sums are added up by node just where several nodes have
// equally many ranks, more than one, and this is the order of all ranks.
func TestPlacements(t *testing.T) {
	byNode := 0
	for _, k := range []struct{ size, nodes int }{{1, 1}, {2, 2}, {3, 3}, {4, 3}, {5, 2}, {6, 3}, {8, 4}, {9, 3}, {12, 2}} {
		placements(k.size, k.nodes, func(nodes []string) {
			counts := map[string]int{}
			for _, n := range nodes {
				counts[n]++
			}
			equal := true
			for _, n := range counts {
				equal = equal && n == counts[nodes[0]]
			}
			want := 0
			if equal && len(counts) > 1 && counts[nodes[0]] > 1 && nested(nodes) == bracket(0, k.size) {
				want = counts[nodes[0]]
				byNode++
			}
			if each, why := ranks.ByNode(nodes); each != want || (why == "") != (want > 0) {
				t.Errorf("%v: %d, %q, want %d", nodes, each, why, want)
			}
		})
	}
	if byNode == 0 {
		t.Error("none is added up by node")
	}
}

// on are ranks of nodes, as many each as the numbers say, one after the other.
func on(counts ...int) (nodes []string) {
	for n, count := range counts {
		nodes = append(nodes, slices.Repeat([]string{string(rune('a' + n))}, count)...)
	}
	return nodes
}

// TestOrder: people hear how sums are made, and why not otherwise.
func TestOrder(t *testing.T) {
	for _, k := range []struct {
		nodes  []string
		levels [][]int // of rank 1
		want   string
	}{
		{on(2), [][]int{{0, 1}}, "by all ranks at once: they are of one node, or of nodes with one host name"},
		{on(1, 1, 1), [][]int{{0, 1, 2}}, "by all ranks at once: each is of a node of its own"},
		{on(2, 2), [][]int{{0, 1}, {1, 3}}, "within each of 2 nodes first, by 2 ranks each, then between nodes"},
		{on(2, 2, 2), [][]int{{0, 1}, {1, 3, 5}}, "within each of 3 nodes first, by 2 ranks each, then between nodes"},
		{on(4, 4), [][]int{{0, 1, 2, 3}, {1, 5}}, "within each of 2 nodes first, by 4 ranks each"},
		{on(3, 3), [][]int{{0, 1, 2, 3, 4, 5}}, "each node has 3 of them, which is no power of two"},
		{on(2, 1), [][]int{{0, 1, 2}}, "a has 2 and b 1 of them"},
		{[]string{"a", "b", "a", "b"}, [][]int{{0, 1, 2, 3}}, "the ranks of a do not follow one another (place them node by node"},
	} {
		succeed(t, rankstest.RunOn(k.nodes, func(g *ranks.Group) error {
			if have := g.Order(); !strings.Contains(have, k.want) {
				return fmt.Errorf("%v: %q, want %q", k.nodes, have, k.want)
			}
			if have := g.Levels(); g.Rank() == 1 && !slices.EqualFunc(have, k.levels, slices.Equal) {
				return fmt.Errorf("%v: %v, want %v", k.nodes, have, k.levels)
			}
			return nil
		}))
	}
}

// spread is values whose sum has other bits in other orders.
func spread(seed uint64, n int) []float32 {
	rng, x := rand.New(rand.NewPCG(seed, uint64(n))), make([]float32, n)
	for i := range x {
		x[i] = float32(math.Exp(10 * rng.NormFloat64()))
	}
	return x
}

// TestAddByNode: ranks with equally many micro-batches, a power of two, wherever they are, come
// to the bits of one process that has all of them.
func TestAddByNode(t *testing.T) {
	for _, nodes := range [][]string{on(2, 2), on(2, 4), on(4, 4), on(2, 2, 2, 2), on(2, 2, 2), on(4, 4, 4), on(3, 3), on(1, 1), {"a", "b", "a", "b"}} {
		for _, micros := range []int{1, 2} {
			for _, n := range []int{1, 7, 1003} {
				all := make([][]float32, len(nodes)*micros)
				for m := range all {
					all[m] = spread(uint64(m), n)
				}
				fold := func(x [][]float32) []float32 {
					sums := make([][]float32, len(x))
					for i := range sums {
						sums[i] = slices.Clone(x[i])
					}
					ranks.Fold(len(sums), func(i, j int) { ranks.AddTo(sums[i], sums[j]) })
					return sums[0]
				}
				want := fold(all)
				succeed(t, rankstest.RunOn(nodes, func(g *ranks.Group) error {
					x := fold(all[g.Rank()*micros : (g.Rank()+1)*micros])
					if err := g.Add(x); err != nil {
						return err
					}
					if !slices.Equal(x, want) {
						return fmt.Errorf("rank %d of %v, %d micro-batches, %d values: another sum", g.Rank(), nodes, micros, n)
					}
					return nil
				}))
			}
		}
	}
}

// counted is a link that counts what this rank sends to each of all.
type counted struct {
	ranks.Link
	of   []int64 // ranks of this link, as all are counted
	sent []int64 // bytes, to each of all; of this rank only
}

func countAll(l ranks.Link) *counted {
	c := &counted{Link: l, sent: make([]int64, l.Size())}
	for r := range l.Size() {
		c.of = append(c.of, int64(r))
	}
	return c
}

func (c *counted) to(each int) {
	for _, r := range c.of {
		c.sent[r] += int64(each)
	}
}

func (c *counted) Gather(dst, src []byte) error {
	c.to(len(src))
	return c.Link.Gather(dst, src)
}

func (c *counted) Exchange(dst, src []byte) error {
	c.to(len(src) / c.Size())
	return c.Link.Exchange(dst, src)
}

func (c *counted) Split(color int) (ranks.Link, error) {
	l, err := c.Link.Split(color)
	if err != nil {
		return nil, err
	}
	child := &counted{Link: l, of: make([]int64, l.Size()), sent: c.sent}
	return child, l.Gather(ranks.Bytes(child.of), ranks.Bytes([]int64{c.of[c.Rank()]}))
}

// TestBytesOfNodes: of B bytes of gradients, 2·(N−1)/N·B leave each of N nodes where sums are
// added up by node, and else those that L ranks each send to R−L others, a part of R twice.
func TestBytesOfNodes(t *testing.T) {
	const n = 2 * 3 * 4 * 8 * 100 // no part is padded
	for _, k := range []struct {
		nodes []string
		of    func(ranks, each float64) float64 // n
	}{
		{on(2, 2), byNodeFirst},
		{on(4, 4), byNodeFirst},
		{on(2, 2, 2, 2), byNodeFirst},
		{on(2, 2, 2), byNodeFirst},
		{on(3, 3), atOnce},
		{[]string{"a", "b", "a", "b"}, atOnce},
		{on(1, 1), atOnce},
	} {
		size, left := len(k.nodes), make([]int64, len(k.nodes))
		succeed(t, rankstest.Connect(size, func(l ranks.Link) error {
			c := countAll(l)
			g, err := ranks.New(c, k.nodes[l.Rank()])
			if err != nil {
				return err
			}
			clear(c.sent)
			if err := g.Add(make([]float32, n)); err != nil {
				return err
			}
			for r, bytes := range c.sent {
				if k.nodes[r] != g.Node() {
					left[g.Rank()] += bytes
				}
			}
			return nil
		}))
		byNode, counts := map[string]int64{}, map[string]int{}
		for r, node := range k.nodes {
			byNode[node] += left[r]
			counts[node]++
		}
		for node, have := range byNode {
			if want := int64(math.Round(4 * n * k.of(float64(size), float64(counts[node])))); have != want {
				t.Errorf("%v: %d bytes leave %s, want %d", k.nodes, have, node, want)
			}
		}
	}
}

func byNodeFirst(ranks, each float64) float64 { return 2 * (ranks/each - 1) / (ranks / each) }
func atOnce(ranks, each float64) float64      { return 2 * each * (ranks - each) / ranks }

// TestLeftByNode: ranks that add up with one that has ended, or with others that do, do not
// wait for ever.
func TestLeftByNode(t *testing.T) {
	for rank, err := range rankstest.RunOn(on(2, 2), func(g *ranks.Group) error {
		if g.Rank() == 3 {
			return nil
		}
		return g.Add(make([]float32, 8))
	}) {
		if (err == nil) != (rank == 3) {
			t.Errorf("rank %d has %v", rank, err)
		}
	}
}
