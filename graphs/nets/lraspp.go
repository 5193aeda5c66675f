package nets

import "t2sda/graphs"

// lraspp is Lite R-ASPP (Howard et al., "Searching for MobileNetV3", 2019, §6.4), as torchvision's
// LRASPPHead computes it: the last level, weighed by channel by what is in the whole image, and a
// finer one, each with a classifier of its own; their sum.
type lraspp struct{}

// lrasppLow returns the finer level: the second, which is at stride 8, or what there is before the
// last.
func lrasppLow(levels []*value) *value { return levels[max(min(1, len(levels)-2), 0)] }

// decode returns the weighed last level, of HeadWidth channels, at the size of the finer one, and
// that one after it.
func (lraspp) decode(n *Net, levels []*value) *value {
	g, d := n.g, n.arch.HeadWidth
	low, high := lrasppLow(levels), levels[len(levels)-1]
	in := high.Dim(1)
	cbr := n.normed("decode_head.cbr.0", "decode_head.cbr.1", d, in, 1, graphs.ConvAttrs{})
	scale := n.kernel("decode_head.scale.1.weight", d, in, 1, graphs.ConvAttrs{})

	pooled := g.ReduceMean(high, []int{2, 3}, true)
	weight := g.Sigmoid(g.Conv(pooled, scale.value(), nil, graphs.ConvAttrs{})) // [N,D,1,1]
	x := n.resizedTo(g.Mul(cbr.relu(high), weight), low)
	return g.Concat(1, x, low)
}

// classify applies both classifiers in one convolution.
func (lraspp) classify(n *Net, features *value) *value {
	g, d, classes := n.g, n.arch.HeadWidth, n.arch.Classes
	classifier := func(name string, in int) conv {
		return conv{
			n.param(name+".weight", true, normal(classifierStd), classes, in, 1, 1),
			n.param(name+".bias", true, fill(0), classes),
			graphs.ConvAttrs{},
		}
	}
	low := classifier("decode_head.low_classifier", features.Dim(1)-d)
	high := classifier("decode_head.high_classifier", d)
	weight := g.Concat(1, high.weight.value(), low.weight.value())
	return g.Conv(n.dropout(features), weight, g.Add(high.bias.value(), low.bias.value()), graphs.ConvAttrs{})
}

func (lraspp) check(a Arch) error { return a.checkHead() }
