package graphtest

import (
	"fmt"

	"t2sda/graphs"
)

// kernel computes the outputs of a node from its operands; absent operands are zero Arrays. Kernels
// never modify operands and may return them.
type kernel func(n *graphs.Node, in []Array) []Array

// Run evaluates the graph in float64 and returns its outputs by name. Inputs that no output needs
// may be missing. It panics when another input is missing or of the wrong shape.
func Run(g *graphs.Graph, inputs map[string]Array) map[string]Array {
	var values []*graphs.Value
	for _, o := range g.Outputs() {
		values = append(values, o.Value)
	}
	out := map[string]Array{}
	for i, a := range Evaluate(g, inputs, values...) {
		out[g.Outputs()[i].Name] = a.Clone()
	}
	return out
}

// Evaluate returns the given values of the graph, computing only what they need. It panics as Run
// does.
func Evaluate(g *graphs.Graph, inputs map[string]Array, values ...*graphs.Value) []Array {
	needed := map[*graphs.Value]bool{}
	for _, v := range values {
		needed[v] = true
	}
	nodes := g.Nodes()
	for i := len(nodes) - 1; i >= 0; i-- {
		for _, v := range nodes[i].Outputs() {
			if needed[v] {
				mark(needed, nodes[i].Inputs())
			}
		}
	}
	known := map[*graphs.Value]Array{}
	for _, n := range nodes {
		for _, v := range n.Outputs() {
			if needed[v] {
				apply(n, known, inputs)
				break
			}
		}
	}
	out := make([]Array, len(values))
	for i, v := range values {
		out[i] = lookup(known, inputs, v)
	}
	return out
}

func mark(needed map[*graphs.Value]bool, list []*graphs.Value) {
	for _, v := range list {
		if v != nil {
			needed[v] = true
		}
	}
}

// apply runs one node and stores its outputs, whose shapes it checks against those that the builder
// inferred, rounded to their types.
func apply(n *graphs.Node, known map[*graphs.Value]Array, inputs map[string]Array) {
	k := kernels[n.Op()]
	if k == nil {
		panic(fmt.Sprintf("graphtest: no kernel for %s", n.Op()))
	}
	in := make([]Array, len(n.Inputs()))
	for i, v := range n.Inputs() {
		if v != nil {
			in[i] = lookup(known, inputs, v)
		}
	}
	for i, a := range k(n, in) {
		v := n.Outputs()[i]
		if !a.Shape.Equal(v.Shape()) || len(a.Data) != a.Shape.Size() {
			panic(fmt.Sprintf("graphtest: %s gives %v, the builder inferred %v", n.Name(), a.Shape, v.Shape()))
		}
		known[v] = rounded(v.DType(), a)
	}
}

// lookup returns a value that is computed, constant or an input.
func lookup(known map[*graphs.Value]Array, inputs map[string]Array, v *graphs.Value) Array {
	if a, ok := known[v]; ok {
		return a
	}
	if floats, ints := v.Constant(); floats != nil || ints != nil {
		a := New(v.Shape()...)
		for i, x := range floats {
			a.Data[i] = float64(x)
		}
		for i, x := range ints {
			a.Data[i] = float64(x)
		}
		known[v] = a
		return a
	}
	a, ok := inputs[v.Name()]
	if !ok || !a.Shape.Equal(v.Shape()) || len(a.Data) != a.Shape.Size() {
		panic(fmt.Sprintf("graphtest: input %s is missing or not %v", v.Name(), v.Shape()))
	}
	return a
}
