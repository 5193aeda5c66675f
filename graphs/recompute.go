package graphs

import (
	"math"
	"slices"
)

// Recomputation (Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016): of a block,
// the backward pass keeps only what the block reads. When the gradient arrives at the block's end,
// its nodes are written again, and the gradient is taken through the copies.
//
// The copies must stay apart from what they copy: ONNX Runtime merges equal nodes, and would then
// keep every activation. So they read the block's inputs less a 0 that is made of the gradient that
// has arrived. No optimiser can know that it is 0, and no order of execution can have the copies
// before it.

// block is the nodes from index from up to index to.
type block struct{ from, to int }

// WithBlock is WithScope for a part of the graph that [Recomputed] computes again. Of blocks within
// a block, only the outer one counts.
func (g *Graph) WithBlock(name string, f func()) {
	from, outer := len(g.nodes), g.inBlock
	defer func() { g.inBlock = outer }()
	g.inBlock = true
	g.WithScope(name, f)
	if to := len(g.nodes); !outer && to > from {
		g.blocks = append(g.blocks, block{from, to})
	}
}

// Recomputed is [Gradients] for less memory: what the nodes of a block compute on the way to the
// loss is not kept but computed again, from what the block reads, when the gradient arrives there.
// The results are the same, those of all other outputs too.
func Recomputed(loss *Value, wrt ...*Value) []*Value { return reverse(loss, wrt, loss.g.blocks) }

// recompute visits the nodes of a block through copies of those that depend on what it reads.
func (s *sweep) recompute(nodes []*Node) {
	for _, n := range slices.Backward(nodes) {
		if s.due(n) {
			c := s.copy(nodes, s.never(n))
			c.move(func(v, w *Value) { s.hand(v, w) })
			for _, n := range slices.Backward(c.nodes) {
				s.visit(n)
			}
			c.move(func(v, w *Value) { s.hand(w, v) })
			return
		}
	}
}

// hand makes the cotangent of v, if it has one, that of w.
func (s *sweep) hand(v, w *Value) {
	if d := s.cotangents[v]; d != nil {
		s.cotangents[w] = d
	}
}

// never returns a scalar that is 0, whatever the cotangent that has arrived at n is (infinite and
// NaN included), and cannot be computed before: 1 where its first element is less than −∞.
func (s *sweep) never(n *Node) *Value {
	s.scope = n.name + ".again"
	var arrived *Value
	for _, v := range n.outputs {
		if arrived = s.cotangents[v]; arrived != nil {
			break
		}
	}
	first := s.Reshape(s.Slice(s.Reshape(arrived, -1), []int{0}, []int{1}, []int{0}, nil))
	return s.Cast(s.Less(first, s.Scalar(float32(math.Inf(-1)))), Float32)
}

// copies are the nodes of a block as they are visited: copied where they depend on what the block
// reads, and before them what makes those inputs late.
type copies struct {
	nodes []*Node
	from  []*Value          // values of the block that have a copy, in order
	of    map[*Value]*Value // copies of values, and late inputs
}

// move calls f with every value of the block that has a copy, and the copy.
func (c *copies) move(f func(v, w *Value)) {
	for _, v := range c.from {
		f(v, c.of[v])
	}
}

// copy writes the nodes of a block again, with zero subtracted from what they read. A subtraction
// of 0 leaves every number as it is, −0 too.
func (s *sweep) copy(nodes []*Node, zero *Value) *copies {
	c, inside := &copies{of: map[*Value]*Value{}}, map[*Node]bool{}
	for _, n := range nodes {
		inside[n] = true
	}
	var written []*Node
	for _, n := range nodes {
		s.scope = n.name + ".again"
		in, late := slices.Clone(n.inputs), false
		for i, v := range in {
			if v != nil && v.node != nil && !inside[v.node] && c.of[v] == nil && v.dtype == Float32 {
				c.of[v] = s.Sub(v, zero)
				s.active[c.of[v]] = s.active[v]
				c.nodes = append(c.nodes, c.of[v].node)
			}
			if w := c.of[v]; w != nil {
				in[i], late = w, true
			}
		}
		if late {
			n = s.again(n, in, c)
		}
		written = append(written, n)
	}
	c.nodes = append(c.nodes, written...)
	return c
}

// again writes n for other operands.
func (s *sweep) again(n *Node, in []*Value, c *copies) *Node {
	out := make([]result, len(n.outputs))
	for i, v := range n.outputs {
		out[i] = result{v.dtype, v.shape}
	}
	twin := s.add(n.op, n.domain, in, n.attrs, n.optional, out...)
	for i, v := range n.outputs {
		w := twin.outputs[i]
		c.of[v], s.active[w] = w, s.active[v]
		c.from = append(c.from, v)
	}
	return twin
}
