package ranks

import "fmt"

// level is ranks that add up with each other, in the order of the link's.
type level struct {
	link  Link
	ranks []int // as the group counts them
}

// arrange decides from where the ranks are how they add up, and connects those that do so
// with each other. All ranks come to the same.
func (g *Group) arrange() (err error) {
	each, why := byNode(g.nodes)
	g.order = "by all ranks at once: " + why
	if why != "" {
		g.levels = []level{{g.link, every(0, 1, g.Size())}}
		return nil
	}
	node, place, nodes := g.Rank()/each, g.Rank()%each, g.Size()/each
	g.order = fmt.Sprintf("within each of %d nodes first, by %d ranks each, then between nodes", nodes, each)
	g.levels = []level{{ranks: every(node*each, 1, each)}, {ranks: every(place, each, nodes)}}
	if g.levels[0].link, err = g.link.Split(node); err != nil {
		return err
	}
	g.levels[1].link, err = g.link.Split(place)
	return err
}

// every returns n numbers from the first on.
func every(first, step, n int) []int {
	all := make([]int, n)
	for i := range all {
		all[i] = first + i*step
	}
	return all
}

// byNode returns how many ranks each node has, if sums can be added up within nodes first: in
// the order of [Fold] over all ranks, with the bits of that. Otherwise it says why they are
// not. Nodes are those of ranks.
func byNode(nodes []string) (each int, why string) {
	var names []string
	counts := map[string]int{}
	for rank, name := range nodes {
		switch {
		case counts[name] == 0:
			names = append(names, name)
		case nodes[rank-1] != name:
			return 0, fmt.Sprintf("the ranks of %s do not follow one another (place them node by node: Open MPI's mpirun --map-by slot, MPICH's -ppn, srun --distribution=block)", name)
		}
		counts[name]++
	}
	each = counts[names[0]]
	for _, name := range names {
		if counts[name] != each {
			return 0, fmt.Sprintf("%s has %d and %s %d of them", names[0], each, name, counts[name])
		}
	}
	switch {
	case len(names) == 1:
		return 0, "they are of one node, or of nodes with one host name"
	case each == 1:
		return 0, "each is of a node of its own"
	case !Nests(len(names), each):
		return 0, fmt.Sprintf("each node has %d of them, which is no power of two", each)
	}
	return each, ""
}

// Nests reports whether the [Fold] of the things of some groups, which have equally many that
// follow one another, is the fold of the groups' folds. Of several groups it is just where each
// has a power of two: a fold cuts at the largest power of two below the number of things, which
// is at least a group, and so between groups only if a group is a power of two; then what it
// cuts off is whole groups again.
func Nests(groups, each int) bool { return groups == 1 || each&(each-1) == 0 }

// Levels are the ranks with which this one adds up, in the order of their parts: with all at
// once, or first with those of its node, then with those that have its place on other nodes.
func (g *Group) Levels() [][]int {
	all := make([][]int, len(g.levels))
	for i, l := range g.levels {
		all[i] = l.ranks
	}
	return all
}

// Order says how the ranks add up, and why not within nodes first.
func (g *Group) Order() string { return g.order }
