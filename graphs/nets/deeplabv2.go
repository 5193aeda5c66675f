package nets

import (
	"fmt"
	"slices"
)

// deeplabv2 is DeepLabV2's head (Chen et al., "DeepLab", 2017): the sum of 3×3 convolutions of
// several dilations, which are the classifiers, on the encoder's last level.
type deeplabv2 struct{}

// deeplabDilations are those of the public domain adaptation systems, from AdaptSegNet on,
// DAFormer's rows of this head among them; the original has 6, 12, 18, 24.
var deeplabDilations = []int{6, 12}

// decode: there is nothing before the classifiers.
func (deeplabv2) decode(_ *Net, levels []*value) *value { return levels[len(levels)-1] }

func (deeplabv2) classify(n *Net, features *value) *value {
	dilations := n.arch.Dilations
	if len(dilations) == 0 {
		dilations = deeplabDilations
	}
	in, classes := features.Dim(1), n.arch.Classes
	branches := make([]conv, len(dilations))
	for i, dilation := range dilations {
		name := fmt.Sprintf("decode_head.aspp_modules.%d.conv", i)
		branches[i] = conv{
			n.param(name+".weight", true, normal(classifierStd), classes, in, 3, 3),
			n.param(name+".bias", true, fill(0), classes), same(dilation),
		}
	}
	x := n.dropout(features)
	sum := branches[0].apply(x)
	for _, b := range branches[1:] {
		sum = n.g.Add(sum, b.apply(x))
	}
	return sum
}

func (deeplabv2) check(a Arch) error {
	if slices.ContainsFunc(a.Dilations, func(d int) bool { return d < 1 }) {
		return fmt.Errorf("dilations are %v, must be at least 1", a.Dilations)
	}
	return nil
}
