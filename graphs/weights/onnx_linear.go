package weights

import (
	"slices"
	"strings"
)

// Numbers of fields of ONNX's GraphProto and NodeProto.
const (
	graphNode = 1

	nodeInput  = 1
	nodeOutput = 2
	nodeType   = 4
)

// anonymous begins the names that PyTorch's exporter gives to matrices which it
// transposes on the way: those of linear layers on more than two axes.
const anonymous = "onnx::MatMul_"

// linearLayers finds the linear layers of a graph: x·Wᵀ + b is a MatMul by an anonymous
// matrix Wᵀ and an Add of a bias that has kept its name.
type linearLayers struct {
	products map[string]string // output of a MatMul → its anonymous matrix
	biases   map[string]string // anonymous matrix → its bias; empty where several do
}

// node takes one node of the graph. Nodes stand in the order in which they run.
func (l *linearLayers) node(message field) error {
	var inputs, outputs []string
	var operator string
	err := eachField(message.bytes, func(v field) (err error) {
		var text string
		switch v.num {
		case nodeInput, nodeOutput, nodeType:
			if text, err = v.text(); err != nil {
				return err
			}
		}
		switch v.num {
		case nodeInput:
			inputs = append(inputs, text)
		case nodeOutput:
			outputs = append(outputs, text)
		case nodeType:
			operator = text
		}
		return nil
	})
	if err != nil || len(inputs) != 2 || len(outputs) != 1 {
		return err
	}
	switch operator {
	case "MatMul":
		if strings.HasPrefix(inputs[1], anonymous) {
			l.products[outputs[0]] = inputs[1]
		}
	case "Add":
		l.bias(inputs[0], inputs[1])
		l.bias(inputs[1], inputs[0])
	}
	return nil
}

// bias notes the bias that is added to a product.
func (l *linearLayers) bias(sum, bias string) {
	matrix, ok := l.products[sum]
	if !ok || !strings.HasSuffix(bias, ".bias") {
		return
	}
	if other, ok := l.biases[matrix]; ok && other != bias {
		bias = "" // layers that share a matrix: it is none's
	}
	l.biases[matrix] = bias
}

// name gives the matrices of linear layers the names and shapes that they had
// before they were exported: as views, nothing is moved.
func (l *linearLayers) name(tensors []stored) {
	index := map[string]int{}
	for i, t := range tensors {
		index[t.Name] = i
	}
	for i := range tensors {
		t := &tensors[i]
		layer, ok := strings.CutSuffix(l.biases[t.Name], ".bias")
		if !ok || len(t.Shape) != 2 {
			continue
		}
		name := layer + ".weight"
		bias, ok := index[layer+".bias"]
		if _, taken := index[name]; taken || !ok || !slices.Equal(tensors[bias].Shape, t.Shape[1:]) {
			continue
		}
		in, out := t.Shape[0], t.Shape[1]
		t.Name, t.Shape, t.strides = name, []int{out, in}, []int64{1, int64(out)}
		index[name] = i
	}
}
