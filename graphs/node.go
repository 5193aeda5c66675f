package graphs

import (
	"fmt"
	"strings"
)

// Node is one application of an operator.
type Node struct {
	op      string
	domain  string
	name    string
	inputs  []*Value // nil where an optional operand is absent
	outputs []*Value
	attrs   []Attr
	// optional is the index from which on outputs may be left out of the model when nothing reads
	// them.
	optional int
	exact    bool // stays float32, see [Graph.Exact]
}

// Attr is an attribute of a node; Value holds an int, []int, float32 or string.
type Attr struct {
	Name  string
	Value any
}

// Op returns the operator's ONNX name.
func (n *Node) Op() string { return n.op }

// Domain returns the operator's domain: "" for ONNX's own, else "com.microsoft".
func (n *Node) Domain() string { return n.domain }

// Name returns the node's name, "scope/Operator_n".
func (n *Node) Name() string { return n.name }

// Inputs returns the operands, nil where an optional one is absent. The caller must not modify the
// slice.
func (n *Node) Inputs() []*Value { return n.inputs }

// Outputs returns all results of the operator, whether read or not. The caller must not modify the
// slice.
func (n *Node) Outputs() []*Value { return n.outputs }

// Int returns the integer attribute called name; it panics when the node has none.
func (n *Node) Int(name string) int { return attr[int](n, name) }

// Ints returns the integer list called name; it panics when the node has none.
func (n *Node) Ints(name string) []int { return attr[[]int](n, name) }

// Float returns the float attribute called name; it panics when the node has none.
func (n *Node) Float(name string) float32 { return attr[float32](n, name) }

// Text returns the string attribute called name; it panics when the node has none.
func (n *Node) Text(name string) string { return attr[string](n, name) }

func attr[T any](n *Node, name string) T {
	for _, a := range n.attrs {
		if a.Name == name {
			return a.Value.(T)
		}
	}
	panic(&Error{Op: n.op, Node: n.name, Message: "no attribute " + name})
}

// key identifies what the node computes: equal keys mean equal results.
func key(op string, in []*Value, attrs []Attr) string {
	var b strings.Builder
	b.WriteString(op)
	for _, v := range in {
		if v == nil {
			b.WriteString(" -")
			continue
		}
		fmt.Fprintf(&b, " %d", v.id)
	}
	for _, a := range attrs {
		fmt.Fprintf(&b, " %s=%v", a.Name, a.Value)
	}
	return b.String()
}
