package nets

import (
	"fmt"
	"slices"

	"t2sda/graphs"
)

// classifierStd is the deviation of classifiers' normal initialisation.
const classifierStd = 0.01

// classifier declares a biased 1×1 convolution to the classes, and applies it to features
// [N,C,h,w] after the channel dropout.
func (n *Net) classifier(name string, features *value) *value {
	weight := n.param(name+".weight", true, normal(classifierStd), n.arch.Classes, features.Dim(1), 1, 1)
	bias := n.param(name+".bias", true, fill(0), n.arch.Classes)
	return conv{weight, bias, graphs.ConvAttrs{}}.apply(n.dropout(features))
}

// segformer is SegFormer's all-MLP head: a linear layer per level, 1×1 conv-BN-ReLU over the
// concatenation, classifier.
type segformer struct{}

// decode fuses the levels last to first, as the public head does.
func (segformer) decode(n *Net, levels []*value) *value {
	d, count := n.arch.HeadWidth, len(levels)
	embeds := n.embeddings(levels, d, func(level int) string { return fmt.Sprintf("decode_head.linear_c%d.proj", level+1) })
	fuse := n.convBN("decode_head.linear_fuse", d, count*d, 1, graphs.ConvAttrs{})
	return n.mlp(levels, embeds, fuse, lastFirst)
}

// embeddings declares a linear layer to d channels for each level.
func (n *Net) embeddings(levels []*value, d int, name func(level int) string) []linear {
	embeds := make([]linear, len(levels))
	for s, x := range levels {
		in := x.Dim(1)
		embeds[s] = n.linear(name(s), d, in, defaultLinear(in))
	}
	return embeds
}

// order is how levels are concatenated for their fusion.
type order func(level, count int) int // place of a level

func lastFirst(level, count int) int { return count - 1 - level }
func inOrder(level, _ int) int       { return level }

// mlp is an all-MLP decoder: a linear layer per level, all at the first level's size, 1×1
// conv-BN-ReLU over their concatenation in that order.
//
// It is re-associated. Linear layer, bilinear resizing (whose weights sum to 1 at every
// position) and 1×1 fusion are linear and act on different axes, so
//
//	fuse · concat_i resize(W_i x_i + b_i) = Σ_i resize(F_i W_i x_i) + Σ_i F_i b_i
//
// with F_i the fusion's columns for level i: the products F_i W_i are of weights only, and the wide
// concatenation at the first level's size is never made.
func (n *Net) mlp(levels []*value, embeds []linear, fuse convBN, place order) *value {
	g, count := n.g, len(levels)
	weight := fuse.weight()
	d := weight.Dim(0)
	columns := g.Split(g.Reshape(weight, d, count*d), 1, slices.Repeat([]int{d}, count)...)
	var kernels []*value
	var bias *value
	for s, embed := range embeds {
		f := columns[place(s, count)]
		var b *value
		g.Exact(func() { // weights, which are rounded once: as the kernels that they make
			kernels = append(kernels, g.MatMul(f, embed.weight.value())) // [D,C_s]
			b = g.MatMul(f, g.Reshape(embed.bias.value(), d, 1))
		})
		if bias != nil {
			b = g.Add(bias, b)
		}
		bias = b
	}
	return g.Relu(fuse.finish(n.sumResized(levels, kernels, g.Reshape(bias, d))))
}

func (segformer) classify(n *Net, features *value) *value {
	return n.classifier("decode_head.linear_pred", features)
}

func (segformer) check(a Arch) error { return a.checkHead() }
