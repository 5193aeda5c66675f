package weights

// ResNets and DeepLabV2's head. Sources: mmsegmentation, whose names are ours with
// backbone.stem.N for the three convolutions of ResNetV1c and backbone.conv1 for
// the plain stem; torchvision; timm, whose plain ResNets are named as torchvision's
// and whose deep stem (resnet50c, resnet101c) is another module; the files of
// open-mmlab's backbones alone.
var resnetTables = []table{
	{convention: "mmseg", same: []string{"backbone.stem.", "backbone.conv1.", "backbone.bn1.", "backbone.layer", "decode_head.aspp_modules."}},

	{convention: "torchvision", rules: []rule{
		same("backbone.conv1.*", "conv1.*"),
		same("backbone.bn1.*", "bn1.*"),
		same("backbone.layer{s}.*", "layer{s}.*"),
	}},

	{convention: "timm", rules: []rule{
		same("backbone.stem.0.*", "conv1.0.*"),
		same("backbone.stem.1.*", "conv1.1.*"),
		same("backbone.stem.3.*", "conv1.3.*"),
		same("backbone.stem.4.*", "conv1.4.*"),
		same("backbone.stem.6.*", "conv1.6.*"),
		same("backbone.stem.7.*", "bn1.*"),
		same("backbone.layer{s}.*", "layer{s}.*"),
	}},

	{convention: "openmmlab", rules: []rule{
		same("backbone.stem.*", "stem.*"),
		same("backbone.layer{s}.*", "layer{s}.*"),
	}},
}
