package nets

import (
	"fmt"

	"t2sda/graphs"
)

// daformer is DAFormer's context-aware fusion head.
type daformer struct{}

// daformerDilations are those of the depthwise-separable branches beside the 1×1 convolution.
var daformerDilations = [3]int{6, 12, 18}

// decode embeds the levels, brings them to the first one's size, looks at their concatenation
// through four fields of view and fuses those.
func (daformer) decode(n *Net, levels []*value) *value {
	g, d := n.g, n.arch.HeadWidth
	embedded := make([]*value, len(levels))
	for s, x := range levels {
		in := x.Dim(1)
		embed := n.linear(fmt.Sprintf("decode_head.embed_layers.%d.proj", s), d, in, defaultLinear(in))
		embedded[s] = n.resizedTo(embed.onMap(x), levels[0])
	}
	x := g.Concat(1, embedded...)
	const branch = "decode_head.fuse_layer.aspp_modules."
	in := x.Dim(1)
	branches := []*value{n.convBN(branch+"0", d, in, 1, graphs.ConvAttrs{}).relu(x)}
	for i, dilation := range daformerDilations {
		name, depthwise := fmt.Sprintf("%s%d", branch, i+1), same(dilation)
		depthwise.Group = in
		g.Block(func() { // wide inside
			y := n.convBN(name+".depthwise_conv", in, in, 3, depthwise).relu(x)
			branches = append(branches, n.convBN(name+".pointwise_conv", d, in, 1, graphs.ConvAttrs{}).relu(y))
		})
	}
	x = g.Concat(1, branches...)
	return n.convBN("decode_head.fuse_layer.bottleneck", d, x.Dim(1), 3, same(1)).relu(x)
}

func (daformer) classify(n *Net, features *value) *value {
	return n.classifier("decode_head.conv_seg", features)
}

func (daformer) check(a Arch) error { return a.checkHead() }
