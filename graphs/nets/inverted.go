package nets

import "fmt"

// inverted is a network of inverted residuals (Sandler et al., "MobileNetV2", 2018): a 3×3
// convolution of stride 2, blocks that are narrow outside and wide inside, a 1×1 convolution. Its
// levels are the last maps at strides 4, 8 and 16, and at stride 32 what the last convolution
// makes, which the public classifiers of images read.
type inverted struct {
	names     invertedNames
	stem, top int // channels of the first and of the last convolution
	stages    []invertedStage
	same      bool    // pads as TensorFlow's SAME does, not evenly: what a position sees depends on the map's size
	eps       float64 // of batch norms
	scaling   scaling
}

// invertedStage is a row of the papers' tables: blocks with k×k depthwise convolutions, expand
// times as wide inside as what they read, and width channels outside. The first has the stride.
type invertedStage struct{ expand, width, blocks, stride, k int }

// mobileNetV2 is table 2 of the paper, torchvision's mobilenet_v2.
var mobileNetV2 = inverted{
	names: mobileNetNames{}, stem: 32, top: 1280, eps: bnEps, scaling: imageNetScaling,
	stages: []invertedStage{
		{1, 16, 1, 1, 3},
		{6, 24, 2, 2, 3},
		{6, 32, 3, 2, 3},
		{6, 64, 4, 2, 3},
		{6, 96, 3, 1, 3},
		{6, 160, 3, 2, 3},
		{6, 320, 1, 1, 3},
	},
}

// efficientNetLite0 is table 1 of Tan and Le, "EfficientNet" (2019), without squeeze and
// excitation and with ReLU6: the first of TensorFlow's EfficientNet-Lite, whose weights want images
// between −1 and 1.
var efficientNetLite0 = inverted{
	names: efficientNetNames{}, stem: 32, top: 1280, same: true, eps: 1e-3,
	scaling: scaling{[3]float32{127, 127, 127}, [3]float32{128, 128, 128}},
	stages: []invertedStage{
		{1, 16, 1, 1, 3},
		{6, 24, 2, 2, 3},
		{6, 40, 2, 2, 5},
		{6, 80, 3, 2, 3},
		{6, 112, 3, 1, 5},
		{6, 192, 4, 2, 5},
		{6, 320, 1, 1, 3},
	},
}

// least: no layer needs more than a position.
func (inverted) least() int { return 1 }

func (inverted) check(a Arch) error {
	if err := oneOf("stem", a.Stem); err != nil {
		return err
	}
	return oneOf("encoder_bn", a.EncoderBN, BNBatch, BNFrozen)
}

func (v inverted) input() scaling { return v.scaling }

func (v inverted) encode(n *Net, x *value) []*value {
	var levels []*value
	n.g.WithScope("encoder.stem", func() { x = v.unit(n, v.names.stem(), v.stem, x, 3, 2, 1).relu6(x) })
	count := 0
	for _, s := range v.stages {
		count += s.blocks
	}
	stride, block := 2, 0
	for _, s := range v.stages {
		if stride *= s.stride; s.stride > 1 && stride > 4 {
			levels = append(levels, x)
		}
		for i := range s.blocks {
			rate := n.arch.DropPath * float64(block) / float64(max(count-1, 1))
			n.g.WithScope(fmt.Sprintf("encoder.block%d", block), func() { n.g.Block(func() { x = v.block(n, s, i, block, x, rate) }) })
			block++
		}
	}
	n.g.WithScope("encoder.top", func() { x = v.unit(n, v.names.top(count), v.top, x, 1, 1, 1).relu6(x) })
	return append(levels, x)
}

// block is block i of stage s, which is number b of all; rate is stochastic depth's.
func (v inverted) block(n *Net, s invertedStage, i, b int, x *value, rate float64) *value {
	stride, inside := 1, s.expand*x.Dim(1)
	if i == 0 {
		stride = s.stride
	}
	expand, depthwise, project := v.names.block(b, s.expand > 1)
	y := x
	if s.expand > 1 {
		y = v.unit(n, expand, inside, y, 1, 1, 1).relu6(y)
	}
	y = v.unit(n, depthwise, inside, y, s.k, stride, inside).relu6(y)
	y = v.unit(n, project, s.width, y, 1, 1, 1).apply(y)
	if stride > 1 || x.Dim(1) != s.width {
		return y
	}
	return n.g.Add(n.dropPath(y, fmt.Sprintf("block%d", b), rate), x)
}

// unit declares a k×k convolution for x, and its batch norm.
func (v inverted) unit(n *Net, name unitName, out int, x *value, k, stride, groups int) convBN {
	attrs := strided(stride, k/2)
	attrs.Group, attrs.SameUpper = groups, v.same
	c := convBN{n.kernel(name.conv+".weight", out, x.Dim(1), k, attrs), attrs, n.encoderNorm(name.bn, out)}
	c.norm.eps = v.eps
	return c
}

// unitName names a convolution and its batch norm.
type unitName struct{ conv, bn string }

// invertedNames are what a network of inverted residuals calls its layers.
type invertedNames interface {
	stem() unitName
	// block names the parts of block b, from 0; without expansion there is no first one.
	block(b int, expands bool) (expand, depthwise, project unitName)
	// top names the last convolution, after that many blocks.
	top(blocks int) unitName
}

// mobileNetNames are torchvision's.
type mobileNetNames struct{}

func (mobileNetNames) stem() unitName { return mobileNetUnit("0") }

func (mobileNetNames) top(blocks int) unitName { return mobileNetUnit(fmt.Sprint(blocks + 1)) }

func (mobileNetNames) block(b int, expands bool) (expand, depthwise, project unitName) {
	at, first := fmt.Sprintf("%d.conv.", b+1), 0
	if expands {
		expand, first = mobileNetUnit(at+"0"), 1
	}
	last := "backbone.features." + at
	return expand, mobileNetUnit(fmt.Sprint(at, first)), unitName{fmt.Sprint(last, first+1), fmt.Sprint(last, first+2)}
}

func mobileNetUnit(at string) unitName {
	name := "backbone.features." + at
	return unitName{name + ".0", name + ".1"}
}

// efficientNetNames are those of EfficientNet-PyTorch, of which efficientnet-lite-pytorch is made.
type efficientNetNames struct{}

func (efficientNetNames) stem() unitName { return unitName{"backbone._conv_stem", "backbone._bn0"} }

func (efficientNetNames) top(int) unitName { return unitName{"backbone._conv_head", "backbone._bn1"} }

func (efficientNetNames) block(b int, _ bool) (expand, depthwise, project unitName) {
	at := fmt.Sprintf("backbone._blocks.%d.", b)
	return unitName{at + "_expand_conv", at + "_bn0"}, unitName{at + "_depthwise_conv", at + "_bn1"},
		unitName{at + "_project_conv", at + "_bn2"}
}
