package graphs

import (
	"fmt"
	"strings"
)

// Error is a mistake in building or differentiating a graph. Builders panic with it; Build returns
// it.
type Error struct {
	Op      string  // the operator's ONNX name, or the function that found the mistake
	Node    string  // the node's name, or the value's where there is no node
	Shapes  []Shape // the operands' shapes
	Message string
}

// Error formats operator, node, shapes and message in one line.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("graphs: " + e.Op)
	if e.Node != "" {
		fmt.Fprintf(&b, " (%s)", e.Node)
	}
	if len(e.Shapes) > 0 {
		parts := make([]string, len(e.Shapes))
		for i, s := range e.Shapes {
			parts[i] = s.String()
		}
		b.WriteString(" of " + strings.Join(parts, " and "))
	}
	b.WriteString(": " + e.Message)
	return b.String()
}

// fail panics with an Error for the node that op would have become.
func (g *Graph) fail(op string, in []*Value, format string, args ...any) {
	e := &Error{Op: op, Node: g.peekName(op), Message: fmt.Sprintf(format, args...)}
	for _, v := range in {
		if v != nil {
			e.Shapes = append(e.Shapes, v.shape.Clone())
		}
	}
	panic(e)
}

// check panics unless all operands exist and belong to g.
func (g *Graph) check(op string, in ...*Value) {
	for i, v := range in {
		if v == nil {
			g.fail(op, in, "operand %d is nil", i)
		}
		if v.g != g {
			g.fail(op, in, "operand %d (%s) belongs to another graph", i, v.name)
		}
	}
}

// checkFloat panics unless all operands are float32 values of g.
func (g *Graph) checkFloat(op string, in ...*Value) {
	g.check(op, in...)
	for i, v := range in {
		if v.dtype != Float32 {
			g.fail(op, in, "operand %d (%s) is %s, want float32", i, v.name, v.dtype)
		}
	}
}

// checkRank panics unless v has the given rank.
func (g *Graph) checkRank(op string, v *Value, rank int, in ...*Value) {
	if len(v.shape) != rank {
		g.fail(op, in, "%s has rank %d, want %d", v.name, len(v.shape), rank)
	}
}

// axis returns ax counted from the front, or panics.
func (g *Graph) axis(op string, v *Value, ax int) int {
	a := ax
	if a < 0 {
		a += len(v.shape)
	}
	if a < 0 || a >= len(v.shape) {
		g.fail(op, []*Value{v}, "no axis %d", ax)
	}
	return a
}

// axes returns the axes counted from the front and in ascending order, all of them when none is
// given. It panics on one that is repeated or does not exist.
func (g *Graph) axes(op string, v *Value, list []int) []int {
	marked := make([]bool, len(v.shape))
	for _, ax := range list {
		a := g.axis(op, v, ax)
		if marked[a] {
			g.fail(op, []*Value{v}, "axis %d is repeated", ax)
		}
		marked[a] = true
	}
	var out []int
	for a := range marked {
		if marked[a] || len(list) == 0 {
			out = append(out, a)
		}
	}
	return out
}
