package nets

import (
	"fmt"

	"t2sda/graphs"
)

// resnet is a ResNet of bottlenecks (He et al., "Deep Residual Learning", 2016), dilated as
// DeepLab has it (Chen et al., "DeepLab", 2017): four levels, the first at stride 4, the others at
// stride 8. The stride of a block is its 3×3 convolution's, as in torchvision and mmsegmentation.
type resnet struct {
	width  int    // of the stem and of the first stage inside; the public ones have 64
	depths [4]int // bottlenecks by stage
}

// resnetStages gives strides and dilations. The first block of a stage that is dilated has half of
// its stage's dilation, as the stride that it stands for would come after it: mmsegmentation's
// contract_dilation, and what torchvision does.
var resnetStages = [4]struct{ stride, dilation int }{{1, 1}, {2, 1}, {1, 2}, {1, 4}}

// expansion is how much wider a bottleneck is outside than inside.
const expansion = 4

// least: no layer needs more than a position.
func (resnet) least() int { return 1 }

func (resnet) check(a Arch) error {
	if err := oneOf("stem", a.Stem, StemDeep, StemPlain); err != nil {
		return err
	}
	return oneOf("encoder_bn", a.EncoderBN, BNBatch, BNFrozen)
}

func (r resnet) encode(n *Net, x *value) []*value {
	g, last := n.g, -1
	for _, d := range r.depths {
		last += d
	}
	g.WithScope("encoder.stem", func() {
		if n.arch.Stem == StemPlain {
			x = r.plainStem(n, x)
		} else {
			x = r.deepStem(n, x)
		}
		x = g.MaxPool(x, [2]int{3, 3}, strided(2, 1))
	})
	levels, done := make([]*value, len(r.depths)), 0
	for s, depth := range r.depths {
		g.WithScope(fmt.Sprintf("encoder.layer%d", s+1), func() {
			for i := range depth {
				rate := n.arch.DropPath * float64(done+i) / float64(max(last, 1))
				g.WithScope(fmt.Sprintf("block%d", i), func() { g.Block(func() { x = r.block(n, s, i, x, rate) }) })
			}
		})
		done += depth
		levels[s] = x
	}
	return levels
}

// plainStem is the original one, 7×7.
func (r resnet) plainStem(n *Net, x *value) *value {
	return r.unit(n, "backbone.conv1", "backbone.bn1", r.width, x.Dim(1), 7, strided(2, 3)).relu(x)
}

// deepStem is ResNet-C's (He et al., "Bag of Tricks", 2019), three convolutions of 3×3; V1c in
// mmsegmentation.
func (r resnet) deepStem(n *Net, x *value) *value {
	for i, width := range []int{r.width / 2, r.width / 2, r.width} {
		attrs := strided(1, 1)
		if i == 0 {
			attrs = strided(2, 1)
		}
		conv, bn := fmt.Sprintf("backbone.stem.%d", 3*i), fmt.Sprintf("backbone.stem.%d", 3*i+1)
		x = r.unit(n, conv, bn, width, x.Dim(1), 3, attrs).relu(x)
	}
	return x
}

// block is bottleneck i of stage s; rate is stochastic depth's.
func (r resnet) block(n *Net, s, i int, x *value, rate float64) *value {
	name := fmt.Sprintf("layer%d.%d", s+1, i)
	in, width := x.Dim(1), r.width<<s
	stride, dilation := 1, resnetStages[s].dilation
	if i == 0 {
		stride, dilation = resnetStages[s].stride, max(dilation/2, 1)
	}
	middle := same(dilation)
	middle.Strides = [2]int{stride, stride}
	unit := func(conv, bn string, out, in, k int, attrs graphs.ConvAttrs) convBN {
		return r.unit(n, "backbone."+name+"."+conv, "backbone."+name+"."+bn, out, in, k, attrs)
	}
	conv1 := unit("conv1", "bn1", width, in, 1, graphs.ConvAttrs{})
	conv2 := unit("conv2", "bn2", width, width, 3, middle)
	conv3 := unit("conv3", "bn3", expansion*width, width, 1, graphs.ConvAttrs{})

	y := conv3.apply(conv2.relu(conv1.relu(x)))
	if i == 0 {
		x = unit("downsample.0", "downsample.1", expansion*width, in, 1, strided(stride, 0)).apply(x)
	}
	return n.g.Relu(n.g.Add(n.dropPath(y, name, rate), x))
}

// unit declares a convolution and its batch norm, as the architecture has it.
func (r resnet) unit(n *Net, conv, bn string, out, in, k int, attrs graphs.ConvAttrs) convBN {
	return convBN{n.kernel(conv+".weight", out, in, k, attrs), attrs, n.encoderNorm(bn, out)}
}
