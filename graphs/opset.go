package graphs

import (
	"fmt"
	"slices"
)

// Versions of ONNX's operator set. Nodes are built as opset 17 has them; what later versions write
// otherwise is put so when a model is marshalled.

// LastOpset is the newest version that models can be marshalled for.
const LastOpset = 23

// since lists the version with which an operator came, for those that came late.
var since = map[string]int{"LayerNormalization": 17, "Shape": 15} // Shape: with start and end

// axesAsInput are the reductions that take their axes as an operand from opset 18 on.
var axesAsInput = []string{"ReduceMax", "ReduceMean"}

const opsetOfAxes = 18

// irVersion is the version of ONNX's file format that came with an operator set.
func irVersion(opset int) int {
	switch {
	case opset <= 18:
		return 8
	case opset <= 20:
		return 9
	case opset <= 22:
		return 10
	}
	return 11
}

// checkOpset returns an error unless all operators of the nodes are in the version.
func checkOpset(opset int, nodes []*Node) error {
	for _, n := range nodes {
		if came := since[n.op]; opset < came && n.domain == "" {
			return fmt.Errorf("opset %d has no %s (node %s), which came with opset %d: take %d to %d", opset, n.op, n.name, came, Opset, LastOpset)
		}
	}
	if opset < Opset || opset > LastOpset {
		return fmt.Errorf("opset %d: models can be written for %d to %d", opset, Opset, LastOpset)
	}
	return nil
}

// isLive reports whether one of the node's results is, and no constant in its place.
func (n *Node) isLive(live map[*Value]bool) bool {
	return slices.ContainsFunc(n.outputs, func(v *Value) bool { return live[v] && v.data == nil })
}

// adapt makes the constants that [Graph.as] needs, and adds them to what is live.
func (g *Graph) adapt(opset int, nodes []*Node, live map[*Value]bool) {
	for _, n := range nodes {
		if m := g.as(opset, n); m != n {
			live[m.inputs[1]] = true
		}
	}
}

// as returns the node as the version has it.
func (g *Graph) as(opset int, n *Node) *Node {
	if opset < opsetOfAxes || !slices.Contains(axesAsInput, n.op) {
		return n
	}
	m := *n
	m.inputs = append(slices.Clone(n.inputs), g.ints1(n.Ints("axes")))
	m.attrs = slices.DeleteFunc(slices.Clone(n.attrs), func(a Attr) bool { return a.Name == "axes" })
	return &m
}
