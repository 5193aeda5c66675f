package quantize

import (
	"fmt"
	"strings"

	"t2sda/internal/onnxmodel"
)

// parse reads a model of float32 and refuses others.
func parse(model []byte) (*onnxmodel.Model, error) {
	m, err := onnxmodel.Parse(model)
	if err != nil {
		return nil, err
	}
	for _, n := range m.Nodes {
		if strings.Contains(n.Op, "QuantizeLinear") || strings.HasPrefix(n.Op, "QLinear") || n.Op == "DequantizeLinear" || strings.HasSuffix(n.Op, "Integer") {
			return nil, fmt.Errorf("the model is quantised already (node %q is %s): take the float32 one", n.Name, n.Op)
		}
	}
	for _, t := range m.Tensors {
		if t.Type == onnxmodel.Float16 {
			return nil, fmt.Errorf("the model is float16 already (constant %q): take the float32 one", t.Name)
		}
	}
	return m, nil
}

// unfloat lists operators whose outputs are no floats whatever their inputs are.
var unfloat = map[string]bool{
	"Shape": true, "Size": true, "ArgMax": true, "ArgMin": true, "NonZero": true,
	"Equal": true, "Greater": true, "GreaterOrEqual": true, "Less": true, "LessOrEqual": true,
	"Not": true, "And": true, "Or": true, "Xor": true, "IsNaN": true, "IsInf": true,
	"QuantizeLinear": true,
}

// floats returns which values of a model are float32.
func floats(m *onnxmodel.Model) map[string]bool {
	is := map[string]bool{}
	for _, i := range m.Inputs {
		is[i.Name] = i.Type == onnxmodel.Float32
	}
	for _, t := range m.Tensors {
		is[t.Name] = t.Type == onnxmodel.Float32
	}
	for _, n := range m.Nodes {
		float := makesFloats(n, is)
		for _, v := range n.Outputs {
			is[v] = float
		}
	}
	return is
}

func makesFloats(n *onnxmodel.Node, is map[string]bool) bool {
	switch {
	case unfloat[n.Op]:
		return false
	case n.Op == "Cast":
		return n.Int("to", 0) == onnxmodel.Float32
	case n.Op == "DequantizeLinear":
		return true
	case n.Op == "Where" && len(n.Inputs) > 1:
		return is[n.Inputs[1]]
	}
	return len(n.Inputs) > 0 && is[n.Inputs[0]]
}

// constants returns the values that depend on constants only.
func constants(m *onnxmodel.Model) map[string]bool {
	is := map[string]bool{"": true}
	for _, t := range m.Tensors {
		is[t.Name] = true
	}
	for _, n := range m.Nodes {
		all := len(n.Inputs) > 0
		for _, v := range n.Inputs {
			all = all && is[v]
		}
		for _, v := range n.Outputs {
			is[v] = all
		}
	}
	return is
}
