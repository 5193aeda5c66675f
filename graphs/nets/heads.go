package nets

import (
	"fmt"
	"math"

	"t2sda/graphs"
)

const classifierStd = 0.01 // of the classifiers' normal initialisation

// Names of the classifiers in public checkpoints.
const (
	segformerClassifier = "decode_head.linear_pred"
	daformerClassifier  = "decode_head.conv_seg"
)

// embedLinear adds a head's linear layer from one level; public heads leave it at PyTorch's default, U(±1/√in).
func embedLinear(l *specList, name string, out, in int) {
	l.linear(name, out, in, uniform(1/math.Sqrt(float64(in))))
}

// classifierSpecs adds a biased 1×1 convolution to the classes.
func classifierSpecs(l *specList, name string, a Arch) {
	l.add(name+".weight", true, normal(classifierStd), a.Classes, a.HeadWidth, 1, 1)
	l.add(name+".bias", true, fill(0), a.Classes)
}

// segformerSpecs adds the all-MLP head: a linear layer per level, 1×1 conv-BN-ReLU over the concatenation, classifier.
func segformerSpecs(l *specList, a Arch, e encoder) {
	for s, c := range e.widths {
		embedLinear(l, fmt.Sprintf("decode_head.linear_c%d.proj", s+1), a.HeadWidth, c)
	}
	l.convBN("decode_head.linear_fuse", a.HeadWidth, 4*a.HeadWidth, 1, 1)
	classifierSpecs(l, segformerClassifier, a)
}

// segformer is the all-MLP head, re-associated. Linear layer, bilinear resizing (whose weights sum to 1 at every position) and 1×1 fusion are linear and act on different axes, so
//
//	fuse · concat_i resize(W_i x_i + b_i) = Σ_i resize(F_i W_i x_i) + Σ_i F_i b_i
//
// with F_i the fusion's columns for level i: the products F_i W_i are of weights only, and the wide concatenation at stride 4 is never made. The public fusion takes the levels last to first.
func (n *Net) segformer(levels []*value) *value {
	const fuse = "decode_head.linear_fuse"
	g, d := n.g, n.arch.HeadWidth
	columns := g.Split(g.Reshape(n.fusion(fuse), d, 4*d), 1, d, d, d, d)
	var kernels []*value
	var bias *value
	for s := range levels {
		f, name := columns[3-s], fmt.Sprintf("decode_head.linear_c%d.proj", s+1)
		kernels = append(kernels, g.MatMul(f, n.param(name+".weight"))) // [D,C_s]
		b := g.MatMul(f, g.Reshape(n.param(name+".bias"), d, 1))
		if bias != nil {
			b = g.Add(bias, b)
		}
		bias = b
	}
	y := n.sumResized(levels, kernels, g.Reshape(bias, d))
	return n.fusedBN(y, fuse)
}

// sumResized returns Σ_i resize(kernel_i · level_i) + bias at the first level's size, for kernels [D,C_i] and bias [D] (nil: none).
func (n *Net) sumResized(levels, kernels []*value, bias *value) *value {
	g := n.g
	var sum *value
	for i, x := range levels {
		k := kernels[i]
		y := g.Conv(x, g.Reshape(k, k.Dim(0), k.Dim(1), 1, 1), bias, graphs.ConvAttrs{})
		bias = nil
		y = g.Resize(y, levels[0].Dim(2), levels[0].Dim(3), "linear")
		if sum != nil {
			y = g.Add(sum, y)
		}
		sum = y
	}
	return sum
}

// fusion returns the weight of name.conv; in mode Deploy scaled by the running statistics of name.bn.
func (n *Net) fusion(name string) *value {
	weight := name + ".conv.weight"
	if n.mode != Deploy {
		return n.param(weight)
	}
	return n.g.Floats(n.foldBN(name+".bn").scaleRows(n.data(weight)), n.shapes[weight]...)
}

// fusedBN is batch norm and ReLU after a product with the weight that fusion returned.
func (n *Net) fusedBN(y *value, name string) *value {
	if n.mode != Deploy {
		return n.g.Relu(n.batchNorm(y, name+".bn"))
	}
	shift := n.foldBN(name + ".bn").shiftValue(n.g)
	return n.g.Relu(n.g.Add(y, n.g.Reshape(shift, 1, y.Dim(1), 1, 1)))
}

const (
	asppName       = "decode_head.fuse_layer.aspp_modules"
	bottleneckName = "decode_head.fuse_layer.bottleneck"
)

// dilations of DAFormer's depthwise-separable branches; branch 0 is a 1×1 convolution.
var dilations = [4]int{1, 6, 12, 18}

// daformerSpecs adds the context-aware fusion head.
func daformerSpecs(l *specList, a Arch, e encoder) {
	d := a.HeadWidth
	for s, c := range e.widths {
		embedLinear(l, fmt.Sprintf("decode_head.embed_layers.%d.proj", s), d, c)
	}
	for i := range dilations {
		branch := fmt.Sprintf("%s.%d", asppName, i)
		if i == 0 {
			l.convBN(branch, d, 4*d, 1, 1)
			continue
		}
		l.convBN(branch+".depthwise_conv", 4*d, 4*d, 3, 4*d)
		l.convBN(branch+".pointwise_conv", d, 4*d, 1, 1)
	}
	l.convBN(bottleneckName, d, 4*d, 3, 1)
	classifierSpecs(l, daformerClassifier, a)
}

// daformer embeds the levels, brings them to stride 4, looks at their concatenation through four fields of view and fuses those.
func (n *Net) daformer(levels []*value) *value {
	g := n.g
	h, w := levels[0].Dim(2), levels[0].Dim(3)
	embedded := make([]*value, len(levels))
	for s, x := range levels {
		name := fmt.Sprintf("decode_head.embed_layers.%d.proj", s)
		k := n.param(name + ".weight")
		y := g.Conv(x, g.Reshape(k, k.Dim(0), k.Dim(1), 1, 1), n.param(name+".bias"), graphs.ConvAttrs{})
		embedded[s] = g.Resize(y, h, w, "linear")
	}
	x := g.Concat(1, embedded...)
	branches := make([]*value, len(dilations))
	for i, dilation := range dilations {
		branch := fmt.Sprintf("%s.%d", asppName, i)
		if i == 0 {
			branches[i] = n.convBN(x, branch, graphs.ConvAttrs{})
			continue
		}
		depthwise := same(dilation)
		depthwise.Group = x.Dim(1)
		y := n.convBN(x, branch+".depthwise_conv", depthwise)
		branches[i] = n.convBN(y, branch+".pointwise_conv", graphs.ConvAttrs{})
	}
	return n.convBN(g.Concat(1, branches...), bottleneckName, same(1))
}
