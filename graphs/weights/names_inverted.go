package weights

import "fmt"

// MobileNetV2 and EfficientNet-Lite0. Sources: torchvision and EfficientNet-PyTorch
// (lukemelas; efficientnet-lite-pytorch is made of it), whose names are ours with
// "backbone." before them; the code of tonylins' pytorch-mobilenet-v2, which numbers
// a block's layers through; timm. timm calls both networks' layers the same, so each
// has a convention of its own.
var invertedTables = []table{
	{convention: "torchvision", rules: []rule{same("backbone.features.*", "features.*")}},

	// Block 1 has no expansion, so its numbers come first.
	{convention: "tonylins", rules: []rule{
		same("backbone.features.1.conv.0.0.*", "features.1.conv.0.*"),
		same("backbone.features.1.conv.0.1.*", "features.1.conv.1.*"),
		same("backbone.features.1.conv.1.*", "features.1.conv.3.*"),
		same("backbone.features.1.conv.2.*", "features.1.conv.4.*"),
		same("backbone.features.{b}.conv.0.0.*", "features.{b}.conv.0.*"),
		same("backbone.features.{b}.conv.0.1.*", "features.{b}.conv.1.*"),
		same("backbone.features.{b}.conv.1.0.*", "features.{b}.conv.3.*"),
		same("backbone.features.{b}.conv.1.1.*", "features.{b}.conv.4.*"),
		same("backbone.features.{b}.conv.2.*", "features.{b}.conv.6.*"),
		same("backbone.features.{b}.conv.3.*", "features.{b}.conv.7.*"),
		same("backbone.features.{b}.0.*", "features.{b}.0.*"),
		same("backbone.features.{b}.1.*", "features.{b}.1.*"),
	}},

	{convention: "lukemelas", rules: []rule{
		same("backbone._conv_stem.*", "_conv_stem.*"),
		same("backbone._bn0.*", "_bn0.*"),
		same("backbone._blocks.*", "_blocks.*"),
		same("backbone._conv_head.*", "_conv_head.*"),
		same("backbone._bn1.*", "_bn1.*"),
	}},

	{convention: "timm-mobilenet", rules: timmBlocks([]int{1, 2, 3, 4, 3, 3, 1}, "features.0.0", "features.0.1", "features.18.0", "features.18.1",
		func(b int) [6]string {
			at, first := fmt.Sprintf("features.%d.conv.", b+1), 1
			if b == 0 {
				first = 0
			}
			return [6]string{
				at + "0.0", at + "0.1", fmt.Sprint(at, first, ".0"), fmt.Sprint(at, first, ".1"),
				fmt.Sprint(at, first+1), fmt.Sprint(at, first+2),
			}
		})},

	{convention: "timm-efficientnet", rules: timmBlocks([]int{1, 2, 2, 3, 3, 4, 1}, "_conv_stem", "_bn0", "_conv_head", "_bn1",
		func(b int) [6]string {
			at := fmt.Sprintf("_blocks.%d.", b)
			return [6]string{at + "_expand_conv", at + "_bn0", at + "_depthwise_conv", at + "_bn1", at + "_project_conv", at + "_bn2"}
		})},
}

// timmBlocks are timm's names of stem, blocks and last convolution, whose blocks are
// counted by stage; the first stage's have no expansion. block returns ours of
// convolution and batch norm of a block's expansion, depthwise convolution and
// projection.
func timmBlocks(depths []int, stem, stemBN, top, topBN string, block func(b int) [6]string) []rule {
	rules := []rule{timm(stem, "conv_stem"), timm(stemBN, "bn1"), timm(top, "conv_head"), timm(topBN, "bn2")}
	expanding := []string{"conv_pw", "bn1", "conv_dw", "bn2", "conv_pwl", "bn3"}
	plain := []string{"conv_dw", "bn1", "conv_pw", "bn2"}
	b := 0
	for s, depth := range depths {
		for i := range depth {
			ours, public := block(b), expanding
			if s == 0 {
				public = plain
			}
			for k, name := range public {
				rules = append(rules, timm(ours[len(ours)-len(public)+k], fmt.Sprintf("blocks.%d.%d.%s", s, i, name)))
			}
			b++
		}
	}
	return rules
}

// timm renames a layer of an encoder.
func timm(ours, public string) rule { return same(encoderPrefix+ours+".*", public+".*") }
