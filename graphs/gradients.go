package graphs

import (
	"fmt"
	"slices"
	"strings"
)

// Gradients appends the reverse sweep of loss (a float32 value of one element) to the graph and
// returns its derivative by every value of wrt, each of the value's shape.
// Only nodes between wrt and loss take part. It panics with *Error when loss does not depend on one
// of wrt, naming it, or when an operator on the way is not differentiable.
func Gradients(loss *Value, wrt ...*Value) []*Value { return reverse(loss, wrt, nil) }

// reverse is the sweep of Gradients; what is in blocks is computed again.
func reverse(loss *Value, wrt []*Value, blocks []block) []*Value {
	g := loss.g
	g.checkFloat("Gradients", loss)
	g.checkFloat("Gradients", wrt...)
	if loss.shape.Size() != 1 {
		g.fail("Gradients", []*Value{loss}, "the loss %s is no scalar", loss.name)
	}
	if g.free {
		g.fail("Gradients", []*Value{loss}, "rules need fixed shapes, and the graph has free sizes")
	}
	s := &sweep{Graph: g, active: g.active(wrt), cotangents: map[*Value]*Value{loss: g.Scalar(1)}}
	outer, exact := g.scope, g.exact
	defer func() { g.scope, g.exact = outer, exact }()
	nodes := slices.Clone(g.nodes)
	for end := len(nodes); end > 0; {
		if k := len(blocks) - 1; k >= 0 && blocks[k].to == end {
			end = blocks[k].from
			s.recompute(nodes[end:blocks[k].to])
			blocks = blocks[:k]
			continue
		}
		end--
		s.visit(nodes[end])
	}
	out := make([]*Value, len(wrt))
	var unreached []string
	for i, v := range wrt {
		d := s.cotangents[v]
		if d == nil {
			unreached = append(unreached, v.name)
			continue
		}
		out[i] = g.Expand(d, v.shape...)
	}
	if unreached != nil {
		panic(&Error{Op: "Gradients", Node: loss.name, Message: fmt.Sprintf("the loss does not reach %s", strings.Join(unreached, ", "))})
	}
	return out
}

// sweep is the state of one reverse sweep. A cotangent may have dimensions of 1 (or leave leading
// ones out) where its value has more: it is the same along them, and is expanded only by rules that
// need all its elements.
type sweep struct {
	*Graph
	active     map[*Value]bool // float values that depend on wrt
	cotangents map[*Value]*Value
}

// active returns wrt and all float values that depend on them through operators with a gradient.
func (g *Graph) active(wrt []*Value) map[*Value]bool {
	on := map[*Value]bool{}
	for _, v := range wrt {
		on[v] = true
	}
	for _, n := range g.nodes {
		if rules[n.op].kind == noGradient || !slices.ContainsFunc(n.inputs, func(v *Value) bool { return on[v] }) {
			continue
		}
		for _, v := range n.outputs {
			on[v] = v.dtype == Float32
		}
	}
	return on
}

// due reports whether the loss reaches n and something active lies behind it.
func (s *sweep) due(n *Node) bool {
	return slices.ContainsFunc(n.outputs, func(v *Value) bool { return s.cotangents[v] != nil }) &&
		slices.ContainsFunc(n.inputs, func(v *Value) bool { return s.active[v] })
}

// visit applies the rule of n if it is due.
func (s *sweep) visit(n *Node) {
	if !s.due(n) {
		return
	}
	s.scope, s.exact = n.name+".grad", exactly(n)
	switch e := rules[n.op]; e.kind {
	case hasRule:
		e.rule(&step{sweep: s, node: n})
	case notDifferentiable:
		e := &Error{Op: n.op, Node: n.name, Message: "the loss depends on it, but it is not differentiable"}
		for _, v := range n.inputs {
			if v != nil {
				e.Shapes = append(e.Shapes, v.shape)
			}
		}
		panic(e)
	}
}

// step is the turn of one node in a sweep: what its rule sees.
type step struct {
	*sweep
	node *Node
}

// in returns operand i of the node.
func (s *step) in(i int) *Value { return s.node.inputs[i] }

// out returns the node's first output.
func (s *step) out() *Value { return s.node.outputs[0] }

// needs reports whether the sweep wants the cotangent of operand i.
func (s *step) needs(i int) bool { return i < len(s.node.inputs) && s.active[s.node.inputs[i]] }

// dy returns the cotangent of the first output, possibly to be broadcast.
func (s *step) dy() *Value { return s.cotangents[s.out()] }

// fullDy returns the cotangent of output i in the output's shape; nil when the loss does not reach
// it.
func (s *step) fullDy(i int) *Value {
	d := s.cotangents[s.node.outputs[i]]
	if d == nil {
		return nil
	}
	return s.Expand(d, s.node.outputs[i].shape...)
}

// give adds d to the cotangent of operand i; d must broadcast to the operand.
func (s *step) give(i int, d *Value) {
	v := s.in(i)
	if !broadcastsTo(d.shape, v.shape) {
		s.fail("Gradients", []*Value{d, v}, "the rule of %s is wrong", s.node.op)
	}
	if old := s.cotangents[v]; old != nil {
		d = s.Add(old, d)
	}
	s.cotangents[v] = d
}

// giveSum adds to the cotangent of operand i the sum of d over the axes along which the node
// broadcast that operand. It does nothing (and f is not called) when the operand needs no
// cotangent.
func (s *step) giveSum(i int, f func() *Value) {
	if s.needs(i) {
		s.give(i, s.sumTo(f(), s.out().shape, s.in(i).shape))
	}
}

// sumTo sums d, understood as broadcast to full, over the axes that target lacks or has as 1.
func (g *Graph) sumTo(d *Value, full, target Shape) *Value {
	var axes []int
	factor := 1 // from axes along which d is constant
	lead, skip := len(full)-len(target), len(full)-len(d.shape)
	for a, n := range full {
		if n == 1 || a >= lead && target[a-lead] == n {
			continue
		}
		if a >= skip && d.shape[a-skip] == n {
			axes = append(axes, a-skip)
		} else {
			factor *= n
		}
	}
	if axes != nil {
		d = g.sumAxes(d, axes)
	}
	d = g.Mul(d, g.Scalar(float32(factor)))
	if drop := len(d.shape) - len(target); drop > 0 {
		d = g.Reshape(d, d.shape[drop:]...)
	}
	return d
}

// sumAxes sums over axes, in ascending order, and keeps them as dimensions of 1. Sums over the
// leading axes are products with a row of ones, which ONNX Runtime computes several times faster
// than ReduceSum (BenchmarkSumRows).
func (g *Graph) sumAxes(x *Value, axes []int) *Value {
	k := len(axes)
	rows, columns := x.shape[:k].Size(), x.shape[k:].Size()
	if axes[k-1] != k-1 || rows == 1 || columns == 1 {
		return g.ReduceSum(x, axes, true)
	}
	ones := g.Expand(g.Scalar(1), 1, rows)
	shape, _ := reduced(x.shape, axes, true)
	var sum *Value
	g.Exact(func() { sum = g.MatMul(ones, g.Reshape(x, rows, columns)) })
	return g.Reshape(sum, shape...)
}

// zeros returns a value of zeros.
func (g *Graph) zeros(shape Shape) *Value { return g.Expand(g.Scalar(0), shape...) }
