package quantize

import (
	"slices"

	"t2sda/internal/onnxmodel"
)

// writer makes a copy of a model with pairs of QuantizeLinear and DequantizeLinear.
type writer struct {
	*plan
	target Target
	most   int // level of weights
	grids  map[string]grid
	scales map[string]channels // by layer
	out    *onnxmodel.Model
	nodes  []*onnxmodel.Node
}

// write returns the quantised model. A value that is brought to levels keeps its name for what
// comes back from them; what is made before is called name/float.
func (p *plan) write(ranges map[string]span, o Options) *onnxmodel.Model {
	w := &writer{plan: p, target: o.For, most: 127, grids: map[string]grid{}, scales: map[string]channels{}, out: p.m.Clone()}
	if o.ReduceRange {
		w.most = 64
	}
	for _, v := range p.values {
		if from, ok := w.grids[p.source[v]]; ok {
			w.grids[v] = from
		} else {
			w.grids[v] = w.target.activation(ranges[v])
		}
	}
	for _, i := range w.out.Inputs {
		if g, ok := w.grids[i.Name]; ok {
			w.pair(g, i.Name, i.Name+"/levels", i.Name+"/dequantised")
		}
	}
	for k, n := range w.out.Nodes {
		w.node(p.m.Nodes[k], n)
	}
	w.out.Nodes = w.nodes
	w.out.Prune()
	return w.out
}

// node appends a copy n of the model's node, with what levels it reads and gives.
func (w *writer) node(original, n *onnxmodel.Node) {
	for _, i := range w.m.Inputs {
		if _, ok := w.grids[i.Name]; ok {
			n.Rename(i.Name, i.Name+"/dequantised")
		}
	}
	if w.in[original] {
		w.operands(n)
	} else if n.Op == "Add" {
		w.productBias(n)
	}
	w.nodes = append(w.nodes, n)
	for i, v := range n.Outputs {
		if g, ok := w.grids[v]; ok {
			n.Outputs[i] = v + "/float"
			w.pair(g, n.Outputs[i], v+"/levels", v)
		}
	}
}

// pair appends the two nodes that bring a value to a grid.
func (w *writer) pair(g grid, from, levels, to string) {
	scale, zero := w.parameters(to, g)
	w.nodes = append(w.nodes,
		&onnxmodel.Node{Name: to + "/QuantizeLinear", Op: "QuantizeLinear", Inputs: []string{from, scale, zero}, Outputs: []string{levels}},
		&onnxmodel.Node{Name: to + "/DequantizeLinear", Op: "DequantizeLinear", Inputs: []string{levels, scale, zero}, Outputs: []string{to}})
}

// parameters adds scale and zero point of a grid.
func (w *writer) parameters(name string, g grid) (scale, zero string) {
	scale, zero = name+"/scale", name+"/zero"
	w.out.AddTensor(onnxmodel.Floats(scale, []float32{g.scale}))
	w.out.AddTensor(&onnxmodel.Tensor{Name: zero, Type: g.elem, Raw: []byte{byte(g.zero)}})
	return scale, zero
}

// operands quantises the constants that a node on levels reads.
func (w *writer) operands(n *onnxmodel.Node) {
	switch n.Op {
	case "Conv", "Gemm", "MatMul":
		w.weights(n)
		return
	}
	for i, v := range n.Inputs {
		if t := w.m.Tensor(v); t != nil && w.float[v] {
			n.Inputs[i] = w.constantOperand(n, t)
		}
	}
}

// weights quantises the weights and the bias of a layer. Constants of products without an axis for
// channels have one grid.
func (w *writer) weights(n *onnxmodel.Node) {
	for i, v := range n.Inputs[:2] {
		t := w.m.Tensor(v)
		if t == nil {
			continue
		}
		axis, ok := channelAxis(n, i, t)
		if !ok {
			n.Inputs[i] = w.constantOperand(n, t)
			continue
		}
		w.channelled(n, i, t, axis)
	}
}

// channelAxis returns the axis of output channels of an operand, as far as there is one.
func channelAxis(n *onnxmodel.Node, operand int, t *onnxmodel.Tensor) (axis int, ok bool) {
	switch {
	case operand != 1:
		return 0, false
	case n.Op == "Conv":
		return 0, true
	case n.Op == "Gemm":
		return 1 - n.Int("transB", 0), true
	}
	return 1, len(t.Dims) == 2
}

func (w *writer) channelled(n *onnxmodel.Node, operand int, t *onnxmodel.Tensor, axis int) {
	var bias *onnxmodel.Tensor
	var data []float32
	input := w.inputScale(n.Inputs[0])
	if len(n.Inputs) > 2 && n.Inputs[2] != "" {
		bias = w.m.Tensor(n.Inputs[2])
		data = bias.Floats()
	}
	c := weightChannels(t, axis, w.most, data, input)
	w.scales[n.Name] = c
	name := n.Name + "/weights"
	zeros := &onnxmodel.Tensor{Type: onnxmodel.Int8, Raw: make([]byte, len(c.scales))}
	n.Inputs[operand] = w.dequantised(name, c.constant(name+"/levels", t), c.scales, zeros, axis)
	if bias != nil {
		name = n.Name + "/bias"
		levels, scales := c.bias(name+"/levels", bias, input)
		zeros = &onnxmodel.Tensor{Type: onnxmodel.Int32, Raw: make([]byte, 4*len(scales))}
		n.Inputs[2] = w.dequantised(name, levels, scales, zeros, 0)
	}
}

// productBias quantises what is added to a product of matrices on levels as a bias, so that runtimes
// which make one operator of both can have that on levels.
func (w *writer) productBias(n *onnxmodel.Node) {
	for i, v := range n.Inputs {
		from, bias := w.producers[v], w.m.Tensor(n.Inputs[1-i])
		if from == nil || from.Op != "MatMul" || !w.in[from] || bias == nil || len(bias.Dims) != 1 {
			continue
		}
		c, ok := w.scales[from.Name]
		if !ok || len(c.scales) != bias.Size() || len(w.consumers[v]) != 1 || w.m.IsOutput(v) {
			continue
		}
		input := w.inputScale(from.Inputs[0])
		if !c.holds(bias, input) {
			continue // a sum of floats, as any other
		}
		name := n.Name + "/bias"
		levels, scales := c.bias(name+"/levels", bias, input)
		zeros := &onnxmodel.Tensor{Type: onnxmodel.Int32, Raw: make([]byte, 4*len(scales))}
		n.Inputs[1-i] = w.dequantised(name, levels, scales, zeros, 0)
		return
	}
}

// inputScale returns the scale of the levels that a node reads.
func (w *writer) inputScale(v string) float32 {
	for _, i := range w.m.Inputs {
		if v == i.Name+"/dequantised" {
			v = i.Name
		}
	}
	return w.grids[v].scale
}

// dequantised appends the node that makes floats of the levels of a constant, per channel.
func (w *writer) dequantised(name string, levels *onnxmodel.Tensor, scales []float32, zeros *onnxmodel.Tensor, axis int) string {
	zeros.Name, zeros.Dims = name+"/zero", []int{len(scales)}
	w.out.AddTensor(levels)
	w.out.AddTensor(onnxmodel.Floats(name+"/scale", scales, len(scales)))
	w.out.AddTensor(zeros)
	d := &onnxmodel.Node{Name: name + "/DequantizeLinear", Op: "DequantizeLinear", Inputs: []string{levels.Name, name + "/scale", zeros.Name}, Outputs: []string{name}}
	d.SetInt("axis", axis)
	w.nodes = append(w.nodes, d)
	return name
}

// constantOperand quantises a constant that stands where activations may: one grid of their type.
func (w *writer) constantOperand(n *onnxmodel.Node, t *onnxmodel.Tensor) string {
	name := n.Name + "/" + t.Name
	data := t.Floats()
	g := w.target.activation(span{float64(slices.Min(data)), float64(slices.Max(data))})
	scale, zero := w.parameters(name, g)
	levels := g.constant(name+"/levels", t)
	w.out.AddTensor(levels)
	w.nodes = append(w.nodes, &onnxmodel.Node{
		Name: name + "/DequantizeLinear", Op: "DequantizeLinear", Inputs: []string{levels.Name, scale, zero}, Outputs: []string{name},
	})
	return name
}
