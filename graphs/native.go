package graphs

import (
	"math"
	"slices"
)

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
		for i, n := range nodes {
			switch n.op {
			case "LayerNormalization":
				nodes[i] = nativeNorm(n, live)
			case "ScatterElements":
				nodes[i] = nativeScatter(n)
			case "Conv":
				nodes[i] = f.nativeConv(n)
			case "Resize":
				nodes[i] = f.nativeResize(n)
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

// Limits of convolutions and enlargements that the kernels know, too.
const (
	mostTaps     = 49      // 7×7
	mostElements = 1 << 24 // along an axis, and of a padded map
)

// nativeConv: height and width, the convolution's attributes. There is an operator for maps that each have
// a kernel of their own, but where ONNX Runtime adds up in another order: with weights that are constant,
// which it lays out otherwise, with another map added to what comes out, or if a map is the matrix of its
// product as it is (MlasConvPrepare).
func (f *fusion) nativeConv(n *Node) *Node {
	x, w, out, a := n.inputs[0].shape, n.inputs[1].shape, n.outputs[0].shape, convAttrs(n)
	kernel, taps := [2]int{w[2], w[3]}, w[2]*w[3]
	if a.Group == 1 || a.Group != w[0] || w[1] != 1 || taps == 1 || taps > mostTaps || n.inputs[0].dtype != Float32 {
		return n
	}
	plain := a.Strides == [2]int{1, 1} && a.Dilations == [2]int{1, 1} && a.Pads == [4]int{}
	if f.known[n.inputs[1]] || f.summed[n.outputs[0]] || plain && (kernel[1] == x[3] || kernel == [2]int{x[2], 1}) {
		return n
	}
	sizes := []int{x[2], x[3], kernel[0], kernel[1], a.Strides[0], a.Strides[1], a.Dilations[0], a.Dilations[1], a.Pads[0], a.Pads[1]}
	reach := (out[2]*a.Strides[0] + kernel[0]*a.Dilations[0]) * (out[3]*a.Strides[1] + kernel[1]*a.Dilations[1])
	if slices.Min(sizes) < 0 || max(slices.Max(sizes), reach) > mostElements {
		return n
	}
	return nativeNode(n, "DepthwiseConv", n.inputs, sizes...)
}

// nativeResize: height and width. There is an operator for bilinear sampling, but where ONNX Runtime may
// compute it in another layout, by which it rounds otherwise.
func (f *fusion) nativeResize(n *Node) *Node {
	x, s := n.inputs[0], n.outputs[0].shape
	if n.Text("mode") != "linear" || f.moved[x] || x.dtype != Float32 || max(x.shape[2], x.shape[3], s[2], s[3]) > mostElements {
		return n
	}
	return nativeNode(n, "ResizeLinear", n.inputs[:1], x.shape[2], x.shape[3])
}

// shapesOf lists the shapes of values, each after its rank.
func shapesOf(values []*Value) (list []int) {
	for _, v := range values {
		list = append(append(list, len(v.shape)), v.shape...)
	}
	return list
}
