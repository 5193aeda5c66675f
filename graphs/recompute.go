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
// keep every activation. So those that read the block's inputs have an operand less a 0 that is made
// of the gradient that has arrived. No optimiser can know that it is 0, and no order of execution
// can have the copies before it.

// block is the nodes from index from up to index to.
type block struct{ from, to int }

// Block marks the nodes that f creates as a block, which [Recomputed] computes again. Of blocks
// within a block, only the outer one counts.
func (g *Graph) Block(f func()) {
	from, outer := len(g.nodes), g.inBlock
	defer func() { g.inBlock = outer }()
	g.inBlock = true
	f()
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
			for _, v := range c.from {
				s.hand(v, c.of[v])
			}
			for _, n := range slices.Backward(c.nodes) {
				s.visit(n)
			}
			for _, v := range c.from {
				s.hand(c.of[v], v)
			}
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

// never returns a scalar that cannot be computed before the cotangent has arrived at n, and is 0
// whatever that is, infinite and NaN included: whether its first element is less than −∞.
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

// copies are the nodes of a block as the sweep visits them, in topological order: copied where they
// depend on what the block reads, and those that make late operands between them.
type copies struct {
	*sweep
	zero   *Value // that only exists when the gradient has arrived
	inside map[*Node]bool
	late   map[*Value]*Value // operands less zero
	of     map[*Value]*Value // copies of the block's values
	from   []*Value          // of which there are copies, in order
	nodes  []*Node
}

// copy writes the nodes of a block again.
func (s *sweep) copy(nodes []*Node, zero *Value) *copies {
	c := &copies{sweep: s, zero: zero, inside: map[*Node]bool{}, late: map[*Value]*Value{}, of: map[*Value]*Value{}}
	for _, n := range nodes {
		c.inside[n] = true
	}
	for _, n := range nodes {
		n = c.again(n)
		c.nodes = append(c.nodes, n)
	}
	return c
}

// again returns n for copies of its operands, n itself where none depends on what the block reads.
// A node that reads what comes from outside, and no copy, gets its smallest operand late: of a
// convolution or a norm these are weights, so that it costs nothing.
func (c *copies) again(n *Node) *Node {
	in, copied, reads, least := slices.Clone(n.inputs), false, false, -1
	for i, v := range in {
		if v == nil {
			continue
		}
		if w := c.of[v]; w != nil {
			in[i], copied = w, true
		}
		reads = reads || v.node != nil && !c.inside[v.node]
		if v.dtype == Float32 && (least < 0 || v.shape.Size() < in[least].shape.Size()) {
			least = i
		}
	}
	if !copied && (!reads || least < 0) {
		return n
	}
	c.scope = n.name + ".again"
	if !copied {
		in[least] = c.delayed(in[least])
	}
	return c.write(n, in)
}

// delayed returns v less zero, which leaves every number as it is, −0 too. It is a node of this block
// alone: one that two blocks had in common would hand its gradient on with each.
func (c *copies) delayed(v *Value) *Value {
	w := c.late[v]
	if w == nil {
		w = c.append("Sub", "", []*Value{v, c.zero}, nil, 1, result{v.dtype, v.shape}).outputs[0]
		c.late[v], c.active[w] = w, c.active[v]
		c.nodes = append(c.nodes, w.node)
	}
	return w
}

// write appends n for other operands.
func (c *copies) write(n *Node, in []*Value) *Node {
	out := make([]result, len(n.outputs))
	for i, v := range n.outputs {
		out[i] = result{v.dtype, v.shape}
	}
	c.exact = n.exact
	twin := c.add(n.op, n.domain, in, n.attrs, n.optional, out...)
	for i, v := range n.outputs {
		w := twin.outputs[i]
		c.of[v], c.active[w] = w, c.active[v]
		c.from = append(c.from, v)
	}
	return twin
}
