package nets

import (
	"maps"
	"slices"
)

// An encoder makes the levels of an image. It is a value: its numbers say everything.
type encoder interface {
	// encode returns the levels [N,C_i,h_i,w_i], finest first, of a normalised image [N,3,H,W].
	encode(n *Net, x *value) []*value
	// least is the smallest height and width that encode takes, in px.
	least() int
	// check refuses settings of a that the encoder does not read, or cannot fulfil.
	check(a Arch) error
}

// scaling is what becomes of an image's channels, RGB on the scale 0–255: (value − mean) / std.
type scaling struct{ mean, std [3]float32 }

// imageNetScaling is what most public weights were trained with.
var imageNetScaling = scaling{[3]float32{123.675, 116.28, 103.53}, [3]float32{58.395, 57.12, 57.375}}

// Input returns the mean and deviation per channel, RGB on the scale 0–255, by which images are
// normalised for an encoder: what its public weights were trained with, ImageNet's unless the
// encoder says otherwise.
func Input(encoder string) (mean, std [3]float32) {
	s := imageNetScaling
	if e, ok := encoders[encoder].encoder.(interface{ input() scaling }); ok {
		s = e.input()
	}
	return s.mean, s.std
}

// encoders is the table of encoders; it is never modified. Those called nano are ours, for images
// of about 256×128 and training on a CPU; the others are the public ones.
var encoders = map[string]struct {
	encoder
	published bool // weights of it are public: ImageNet's, DINOv2's
}{
	"efficientnet_lite0": {efficientNetLite0, true},
	"mobilenet_v2":       {mobileNetV2, true},

	"dinov2_nano":       {dinov2Nano, false},
	"dinov2_vits14":     {newDINOv2(384, 12, 0), true},
	"dinov2_vits14_reg": {newDINOv2(384, 12, 4), true},
	"dinov2_vitb14":     {newDINOv2(768, 12, 0), true},
	"dinov2_vitb14_reg": {newDINOv2(768, 12, 4), true},
	"dinov2_vitl14":     {newDINOv2(1024, 24, 0), true},
	"dinov2_vitl14_reg": {newDINOv2(1024, 24, 4), true},

	"mit_nano":    {mitNano, false},
	"mit_b0":      {newMiT(32, [4]int{2, 2, 2, 2}), true},
	"mit_b1":      {newMiT(64, [4]int{2, 2, 2, 2}), true},
	"mit_b2":      {newMiT(64, [4]int{3, 4, 6, 3}), true},
	"mit_b3":      {newMiT(64, [4]int{3, 4, 18, 3}), true},
	"mit_b4":      {newMiT(64, [4]int{3, 8, 27, 3}), true},
	"mit_b5":      {newMiT(64, [4]int{3, 6, 40, 3}), true},
	"resnet_nano": {resnet{16, [4]int{1, 1, 1, 1}}, false},
	"resnet50":    {resnet{64, [4]int{3, 4, 6, 3}}, true},
	"resnet101":   {resnet{64, [4]int{3, 4, 23, 3}}, true},
}

// Encoders lists the names that Arch.Encoder accepts.
func Encoders() []string { return slices.Sorted(maps.Keys(encoders)) }

// A head makes logits of levels, in two steps, because what lies between is worth looking at.
type head interface {
	// decode returns what the classifier reads, [N,D,h,w], for an encoder's levels.
	decode(n *Net, levels []*value) *value
	// classify returns the logits [N,Classes,h,w] for what decode returned.
	classify(n *Net, features *value) *value
	// check refuses settings of a that the head does not read, or cannot fulfil.
	check(a Arch) error
}

// heads is the table of heads; it is never modified.
var heads = map[string]head{
	"daformer":  daformer{},
	"deeplabv2": deeplabv2{},
	"linear":    linearHead{},
	"lraspp":    lraspp{},
	"segformer": segformer{},
}

// Heads lists the names that Arch.Head accepts.
func Heads() []string { return slices.Sorted(maps.Keys(heads)) }
