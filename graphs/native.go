package graphs

import (
	"math"
	"slices"
)

// Native operators. Some of ONNX's are slow in ONNX Runtime's CPU provider: the engine brings kernels
// of our own for them, and for some gradients for which there are several of ONNX's. Graphs know nothing
// of it until they are marshalled for that provider.

// NativeDomain is the domain of the operators that [Graph.MarshalNative] writes. What they do is said
// by attributes that are lists of integers: sizes, and the shapes of all results.
const NativeDomain = "t2sda"

// MarshalNative is [Graph.Marshal] with operators of the domain [NativeDomain] where there are such:
//
//   - Elementwise: a group of element-wise operators
//   - GeluGrad: the gradient of Gelu
//   - LayerNormalization: that over the last axis
//   - LayerNormGrad: its gradients
//   - ScatterLabels: the gradient of values that were picked by labels
//   - DepthwiseConv: a convolution of every channel by itself
//   - DepthwiseWeightGrad: the gradient of such a convolution by its weights
//   - ResizeLinear: bilinear Resize
//   - ResizeGrad: its gradient
//   - SoftmaxGrad: the gradient of Softmax over the last axis
//
// If exact is true, they round as ONNX Runtime's do, to the same bits. Else there are DepthwiseWeightGrad,
// GeluGrad, LayerNormGrad and ResizeGrad, too, and sums of others may be taken in another order.
// Graphs with free sizes have none: kernels know the shapes beforehand.
func (g *Graph) MarshalNative(exact bool) ([]byte, error) {
	if g.free {
		return g.Marshal()
	}
	return g.marshal(Opset, func(nodes []*Node, live map[*Value]bool) []*Node {
		f := g.newFusion(nodes)
		nodes, restore := f.shorten(g, live, exact)
		defer restore()
		nodes, live = g.needed(nodes)
		f = g.newFusion(nodes)
		nodes = f.fuse()
		for i, n := range nodes {
			switch n.op {
			case "LayerNormalization":
				nodes[i] = nativeNorm(n, live, exact)
			case "ScatterElements":
				nodes[i] = nativeScatter(n)
			case "Conv":
				nodes[i] = f.nativeConv(n, exact)
			case "Resize":
				nodes[i] = f.nativeResize(n)
			}
		}
		return nodes
	})
}

// shortcut is an operator of ours that computes from its operands at once what several nodes of the
// graph compute from them.
type shortcut struct {
	op      string
	in, out []*Value
	sizes   []int
	exact   bool // it gives the same bits
	product bool // it stands for products, which a low precision would round
}

// shorten returns the graph's nodes with shortcuts in the place of those that computed the same values,
// which are the shortcuts' until restore is called. To the same bits there is none where ONNX Runtime may
// compute an operand in another layout, or make one operator of it and a product; and none at all of which
// not all results are wanted, or stand before an operand: a sum may be one that there was already.
func (f *fusion) shorten(g *Graph, live map[*Value]bool, exact bool) (nodes []*Node, restore func()) {
	nodes = slices.Clone(g.nodes)
	place := make(map[*Node]int, len(nodes))
	for i, n := range nodes {
		place[n] = i
	}
	for _, s := range g.shortcuts {
		if exact && !s.exact || s.exact && slices.ContainsFunc(s.in, func(v *Value) bool { return f.moved[v] || joinsProduct(v) }) {
			continue
		}
		first, ok := len(nodes), true
		for _, v := range s.out {
			i, found := place[v.node]
			ok = ok && live[v] && found && g.nodes[i] == v.node && len(v.node.outputs) == 1 // and no other shortcut's
			first = min(first, i)
		}
		for _, v := range s.in {
			ok = ok && (v.node == nil || place[v.node] < first)
		}
		if !ok {
			continue
		}
		n := (&Node{name: s.out[0].node.name}).native(s.op, s.in, s.out, s.sizes...)
		for _, v := range s.out {
			nodes[place[v.node]], v.node = nil, n
		}
		nodes[first], place[n] = n, first
	}
	nodes = slices.DeleteFunc(nodes, func(n *Node) bool { return n == nil })
	return nodes, func() {
		for _, n := range g.nodes {
			for _, v := range n.outputs {
				v.node = n
			}
		}
	}
}

// native makes n an operator of ours, of which all results are there.
func (n *Node) native(op string, in, out []*Value, sizes ...int) *Node {
	*n = Node{
		op: op, domain: NativeDomain, name: n.name, inputs: in, outputs: out, optional: len(out),
		attrs: []Attr{{"sizes", sizes}, {"results", shapesOf(out)}},
	}
	return n
}

// nativeNode is n as an operator of ours.
func nativeNode(n *Node, op string, in []*Value, sizes ...int) *Node {
	return (&Node{name: n.name}).native(op, in, n.outputs, sizes...)
}

// nativeNorm: rows, their length, the bits of epsilon, whether it is exact. That of a sum ONNX Runtime fuses
// with it, unless mean and variance are read, and rounds otherwise then.
func nativeNorm(n *Node, live map[*Value]bool, exact bool) *Node {
	if from := n.inputs[0].node; exact && from != nil && from.op == "Add" && !live[n.outputs[1]] && !live[n.outputs[2]] {
		return n
	}
	d := n.inputs[0].Dim(-1)
	return nativeNode(n, n.op, n.inputs, n.outputs[0].shape.Size()/d, d, int(math.Float32bits(n.Float("epsilon"))), flag(exact))
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

// depthwise returns what the kernels of convolutions know of one of x with weights w, and of what comes
// out: height and width, and the convolution's attributes. There are kernels for maps that each have weights
// of their own.
func depthwise(x, w, out Shape, a ConvAttrs) (sizes []int, ok bool) {
	if a.Group != w[0] || w[1] != 1 || w[2]*w[3] > mostTaps {
		return nil, false
	}
	sizes = []int{x[2], x[3], w[2], w[3], a.Strides[0], a.Strides[1], a.Dilations[0], a.Dilations[1], a.Pads[0], a.Pads[1]}
	reach := (out[2]*a.Strides[0] + w[2]*a.Dilations[0]) * (out[3]*a.Strides[1] + w[3]*a.Dilations[1])
	return sizes, slices.Min(sizes) >= 0 && max(slices.Max(sizes), reach) <= mostElements
}

// nativeConv is n by depthwise, but not with weights that are constant: ONNX Runtime lays those out
// otherwise, and all that follows. To the same bits nor where it adds up in another order: with another map
// added to what comes out, or if a map is the matrix of its product as it is (MlasConvPrepare).
func (f *fusion) nativeConv(n *Node, exact bool) *Node {
	x, w, a := n.inputs[0].shape, n.inputs[1].shape, convAttrs(n)
	sizes, ok := depthwise(x, w, n.outputs[0].shape, a)
	if !ok || a.Group == 1 || w[2]*w[3] == 1 || n.inputs[0].dtype != Float32 {
		return n
	}
	plain := a.Strides == [2]int{1, 1} && a.Dilations == [2]int{1, 1} && a.Pads == [4]int{}
	if f.known[n.inputs[1]] || exact && (f.summed[n.outputs[0]] || plain && (w[3] == x[3] || w[2] == x[2] && w[3] == 1)) {
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
