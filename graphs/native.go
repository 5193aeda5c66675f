package graphs

import "math"

// Native operators. Some of ONNX's are slow in ONNX Runtime's CPU provider: the engine brings kernels
// of our own for them, which give the same bits. Graphs know nothing of it until they are marshalled
// for that provider.

// NativeDomain is the domain of the operators that [Graph.MarshalNative] writes. What they do is said
// by attributes that are lists of integers: sizes, and the shapes of all results.
const NativeDomain = "t2sda"

// MarshalNative is [Graph.Marshal] with operators of the domain [NativeDomain] where there are such:
//
//   - Elementwise: a group of element-wise operators
//   - LayerNormalization: that over the last axis
//   - ScatterLabels: the gradient of values that were picked by labels
//   - DepthwiseConv: a convolution of every channel by itself
//   - ResizeLinear: bilinear Resize
//
// Graphs with free sizes have none: kernels know the shapes beforehand.
func (g *Graph) MarshalNative() ([]byte, error) {
	if g.free {
		return g.Marshal()
	}
	return g.marshal(Opset, func(nodes []*Node, live map[*Value]bool) []*Node {
		f := g.newFusion(nodes)
		nodes = f.fuse()
		known, activated := g.constant(), activatedValues(nodes)
		for i, n := range nodes {
			switch n.op {
			case "LayerNormalization":
				nodes[i] = nativeNorm(n, live)
			case "ScatterElements":
				nodes[i] = nativeScatter(n)
			case "Resize":
				if n.Text("mode") == "linear" && !f.moved[n.inputs[0]] {
					nodes[i] = nativeNode(n, "ResizeLinear", n.inputs[:1], n.inputs[0].shape[2], n.inputs[0].shape[3])
				}
			case "Conv":
				if !activated[n.outputs[0]] && !known[n.inputs[1]] { // constant weights it lays out as it likes
					nodes[i] = nativeConv(n)
				}
			}
		}
		return nodes
	})
}

// nativeNode is n as an operator of ours, of which all results are there.
func nativeNode(n *Node, op string, in []*Value, sizes ...int) *Node {
	return &Node{
		op: op, domain: NativeDomain, name: n.name, inputs: in, outputs: n.outputs, optional: len(n.outputs),
		attrs: []Attr{{"sizes", sizes}, {"results", shapesOf(n.outputs)}},
	}
}

// nativeNorm: rows, their length, the bits of epsilon. That of a sum ONNX Runtime fuses with it, unless
// mean and variance are read, and rounds otherwise then.
func nativeNorm(n *Node, live map[*Value]bool) *Node {
	if from := n.inputs[0].node; from != nil && from.op == "Add" && !live[n.outputs[1]] && !live[n.outputs[2]] {
		return n
	}
	d := n.inputs[0].Dim(-1)
	return nativeNode(n, n.op, n.inputs, n.outputs[0].shape.Size()/d, d, int(math.Float32bits(n.Float("epsilon"))))
}

// leastInner is how many elements after the axis make a task of one class worth it.
const leastInner = 256

// nativeScatter: elements before, along and after the axis. Of what is not the sum into zeros of one
// value each there is no operator.
func nativeScatter(n *Node) *Node {
	data, idx, axis := n.inputs[0], n.inputs[1], n.Int("axis")
	s, one := data.shape, data.shape.Clone()
	one[axis] = 1
	zeros := data.node != nil && data.node.op == "Expand" && data.node.inputs[0].isScalarConst(0)
	if !zeros || s[axis+1:].Size() < leastInner || n.Text("reduction") != "add" || data.dtype != Float32 || idx.dtype != Int64 || !idx.shape.Equal(one) {
		return n
	}
	return nativeNode(n, "ScatterLabels", n.inputs[1:], s[:axis].Size(), s[axis], s[axis+1:].Size())
}

// activatedValues are those that ONNX Runtime, where a convolution computes them, may compute together with
// what is added to them or applied to them, and rounds otherwise then.
func activatedValues(nodes []*Node) map[*Value]bool {
	out := map[*Value]bool{}
	for _, n := range nodes {
		switch n.op {
		case "Add", "Clip", "HardSigmoid", "LeakyRelu", "Max", "Min", "Relu", "Sigmoid", "Tanh":
			for _, v := range n.inputs {
				out[v] = true
			}
		}
	}
	return out
}

// mostTaps is how many taps the kernel takes.
const mostTaps = 49

// nativeConv: height and width, the convolution's attributes. There is an operator for maps that each have
// a kernel of their own, but where ONNX Runtime multiplies with the map itself, or cuts it into pieces of
// which one would be a single element: it adds up in another order then.
func nativeConv(n *Node) *Node {
	x, w, out, a := n.inputs[0].shape, n.inputs[1].shape, n.outputs[0].shape, convAttrs(n)
	kernel, size := [2]int{w[2], w[3]}, out[2]*out[3]
	count := w[2] * w[3]
	if a.Group == 1 || a.Group != w[0] || w[1] != 1 || count == 1 || count > mostTaps || size%pieceOf(size, count) == 1 {
		return n
	}
	plain := a.Strides == [2]int{1, 1} && a.Dilations == [2]int{1, 1} && a.Pads == [4]int{}
	if plain && (kernel[1] == x[3] || kernel == [2]int{x[2], 1}) {
		return n
	}
	return nativeNode(n, "DepthwiseConv", n.inputs, x[2], x[3], kernel[0], kernel[1],
		a.Strides[0], a.Strides[1], a.Dilations[0], a.Dilations[1], a.Pads[0], a.Pads[1])
}

// pieceOf returns how many elements of a map ONNX Runtime computes at once with that many taps
// (MlasConvOperation).
func pieceOf(size, taps int) int {
	piece, products := 128, 128
	if size >= taps {
		for products/2 >= taps {
			piece, products = 2*piece, products/2
		}
		return piece
	}
	for piece > 16 && piece/2 >= size {
		piece /= 2
	}
	return piece
}

// shapesOf lists the shapes of values, each after its rank.
func shapesOf(values []*Value) (list []int) {
	for _, v := range values {
		list = append(append(list, len(v.shape)), v.shape...)
	}
	return list
}
