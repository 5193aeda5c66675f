package quantize

import (
	"slices"

	"t2sda/internal/onnxmodel"
)

// plan says what of a model is quantised.
type plan struct {
	m         *onnxmodel.Model
	float     map[string]bool
	constant  map[string]bool
	producers map[string]*onnxmodel.Node
	consumers map[string][]*onnxmodel.Node

	in     map[*onnxmodel.Node]bool // nodes that read and give levels
	values []string                 // activations that are brought to levels, in the order they are made
	source map[string]string        // value → the one whose grid it takes over
}

// between lists operators that are computed on levels where all that they read are levels.
var between = map[string]bool{
	"Add": true, "Concat": true, "AveragePool": true, "GlobalAveragePool": true,
	"Reshape": true, "Transpose": true, "Squeeze": true, "Unsqueeze": true, "Flatten": true, "MaxPool": true, "Slice": true,
}

// sameGrid lists those of them whose output is made of elements of the input, on its grid.
var sameGrid = map[string]bool{"Reshape": true, "Transpose": true, "Squeeze": true, "Unsqueeze": true, "Flatten": true, "MaxPool": true, "Slice": true}

// newPlan quantises every layer but those whose node's name is in kept, and but those that give what
// a kept one reads: a layer that amplifies what is lost before it is not saved by its own weights.
func newPlan(m *onnxmodel.Model, kept map[string]bool) *plan {
	p := &plan{
		m: m, float: floats(m), constant: constants(m), producers: m.Producers(), consumers: m.Consumers(),
		in: map[*onnxmodel.Node]bool{}, source: map[string]string{},
	}
	p.chooseNodes(kept)
	p.chooseValues()
	return p
}

// layers returns the nodes with weights, or products of activations, that can be quantised.
func layers(m *onnxmodel.Model) (all []*onnxmodel.Node) {
	float, constant := floats(m), constants(m)
	for _, n := range m.Nodes {
		if !constant[n.Outputs[0]] && canQuantise(m, n, float) {
			all = append(all, n)
		}
	}
	return all
}

func canQuantise(m *onnxmodel.Model, n *onnxmodel.Node, float map[string]bool) bool {
	if len(n.Inputs) < 2 || !float[n.Inputs[0]] || n.Domain != "" {
		return false
	}
	weights := m.Tensor(n.Inputs[1])
	bias := len(n.Inputs) < 3 || n.Inputs[2] == "" || m.Tensor(n.Inputs[2]) != nil
	switch n.Op {
	case "Conv":
		return weights != nil && bias
	case "Gemm":
		if len(n.Inputs) > 2 && n.Inputs[2] != "" && bias {
			bias = len(m.Tensor(n.Inputs[2]).Dims) == 1
		}
		return weights != nil && bias && n.Int("transA", 0) == 0 && n.Float("alpha", 1) == 1 && n.Float("beta", 1) == 1
	case "MatMul":
		return true
	}
	return false
}

// chooseNodes takes layers, forwards whatever then reads levels only, and backwards leaves that out
// again where nothing on levels follows.
func (p *plan) chooseNodes(kept map[string]bool) {
	bare := p.bare(kept)
	for _, n := range layers(p.m) {
		p.in[n] = !kept[n.Name] && (n.Op == "MatMul" || !bare[p.result(n)])
	}
	for _, n := range p.m.Nodes {
		if between[n.Op] && !p.constant[n.Outputs[0]] && !bare[p.result(n)] && p.readsLevels(n) {
			p.in[n] = true
		}
	}
	for _, n := range slices.Backward(p.m.Nodes) {
		if p.in[n] && between[n.Op] && !slices.ContainsFunc(p.consumers[p.result(n)], func(c *onnxmodel.Node) bool { return p.in[c] }) {
			p.in[n] = false
		}
	}
}

// bare returns what kept layers read, also what that is a rearrangement of.
func (p *plan) bare(kept map[string]bool) map[string]bool {
	bare := map[string]bool{}
	for _, n := range slices.Backward(p.m.Nodes) {
		if kept[n.Name] || sameGrid[n.Op] && bare[n.Outputs[0]] {
			for _, v := range n.Inputs {
				bare[v] = true
			}
		}
	}
	return bare
}

// readsLevels reports whether all floats that a node reads are given as levels.
func (p *plan) readsLevels(n *onnxmodel.Node) bool {
	activations := 0
	for _, v := range n.Inputs {
		if !p.float[v] || p.m.Tensor(v) != nil {
			continue
		}
		activations++
		if !p.gives(v) {
			return false
		}
	}
	return activations > 0
}

// gives reports whether a value is the result of a node that gives levels.
func (p *plan) gives(v string) bool {
	n := p.producers[v]
	if n == nil {
		return false
	}
	if isClamp(n) && p.fused(n.Inputs[0]) == n {
		n = p.producers[n.Inputs[0]]
	}
	return p.in[n] && n.Op != "MatMul" && p.result(n) == v
}

// result returns the value that a node on levels gives: its output, or what the ReLU behind it
// makes of that.
func (p *plan) result(n *onnxmodel.Node) string {
	if c := p.fused(n.Outputs[0]); c != nil && n.Op != "MatMul" {
		return c.Outputs[0]
	}
	return n.Outputs[0]
}

// fused returns the ReLU that alone reads the output of a layer or sum; runtimes make one of both.
func (p *plan) fused(v string) *onnxmodel.Node {
	readers := p.consumers[v]
	from := p.producers[v]
	if from == nil || p.m.IsOutput(v) || len(readers) != 1 || !isClamp(readers[0]) {
		return nil
	}
	switch from.Op {
	case "Conv", "Gemm", "Add":
		return readers[0]
	}
	return nil
}

// isClamp reports whether a node is ReLU or ReLU6.
func isClamp(n *onnxmodel.Node) bool { return n.Op == "Relu" || n.Op == "Clip" }

// chooseValues lists what nodes on levels read and give. A product of matrices gives floats: its
// bias is added to those, and runtimes have it in one operator.
func (p *plan) chooseValues() {
	want := map[string]bool{}
	for _, n := range p.m.Nodes {
		if !p.in[n] {
			continue
		}
		for _, v := range n.Inputs {
			if p.float[v] && !p.constant[v] {
				want[v] = true
			}
		}
		if n.Op != "MatMul" {
			want[p.result(n)] = true
		}
		if sameGrid[n.Op] {
			p.source[n.Outputs[0]] = n.Inputs[0]
		}
	}
	for _, i := range p.m.Inputs {
		if want[i.Name] {
			p.values = append(p.values, i.Name)
		}
	}
	for _, n := range p.m.Nodes {
		for _, v := range n.Outputs {
			if want[v] {
				p.values = append(p.values, v)
			}
		}
	}
}
