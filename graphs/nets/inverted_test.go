package nets

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"t2sda/graphs"
	"t2sda/graphs/graphtest"
)

// small has all that networks of inverted residuals do, at a size that finite differences can walk
// through: a block without expansion, strides under both kernels, a residual.
func small(same bool) inverted {
	v := inverted{
		names: mobileNetNames{}, stem: 3, top: 5, eps: 1e-3, scaling: imageNetScaling,
		stages: []invertedStage{{1, 2, 1, 1, 3}, {2, 3, 2, 2, 3}, {2, 2, 1, 2, 5}, {2, 3, 1, 2, 3}, {1, 3, 1, 2, 5}},
	}
	if same {
		v.names, v.same = efficientNetNames{}, true
	}
	return v
}

func smallArch() Arch {
	a := nano()
	a.Encoder, a.Head, a.HeadWidth = "mobilenet_v2", "lraspp", 4
	return a
}

// TestInvertedGradients checks the gradient of every parameter, and of the image, by finite
// differences in float64, under both ways to pad and to normalise, on maps of odd and even sizes.
func TestInvertedGradients(t *testing.T) {
	for same, bn := range map[bool]string{false: BNFrozen, true: BNBatch} {
		t.Run(bn, func(t *testing.T) {
			a := smallArch()
			a.EncoderBN, a.ProjectorInput = bn, ProjectLast
			inputs := map[string]graphtest.Array{"image": graphtest.Uniform(rand.New(rand.NewPCG(1, 2)), -2, 2, 2, 3, 38, 43)}
			n, err := declare(a, small(same))
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range n.params {
				inputs[p.Name] = array(goldenParam(p), p.Shape...)
			}
			wrt := slices.Sorted(maps.Keys(inputs))
			for _, b := range n.buffers {
				inputs[b.Name] = array(goldenBuffer(b.Name, b.Len), b.Len)
			}
			build := func(g *graphs.Graph, in map[string]*graphs.Value) *graphs.Value {
				net := newNet(g, a, small(same), teacher{})
				maps.Copy(net.values, in)
				levels := net.Encode(in["image"])
				logits, features := net.Segment(levels), net.Project(levels)
				return g.Concat(0, g.Reshape(logits, -1), g.Reshape(features, -1))
			}
			graphtest.CheckGradients(t, build, inputs, wrt, 1e-4, graphtest.Samples(1), graphtest.Step(1e-6))
		})
	}
}

// TestInvertedShapes: levels lie at strides 4, 8, 16 and 32, rounded up, and Lite R-ASPP's logits
// at the second one's.
func TestInvertedShapes(t *testing.T) {
	for encoder, channels := range map[string][4]int{"mobilenet_v2": {24, 32, 96, 1280}, "efficientnet_lite0": {24, 40, 112, 1280}} {
		a := smallArch()
		a.Encoder = encoder
		b := whole(t, a, Teacher, nil, 2, 61, 100)
		want := map[string]graphs.Shape{"logits": {2, 5, 8, 13}, "features": {2, 8, 16, 25}}
		for i, size := range [][2]int{{16, 25}, {8, 13}, {4, 7}, {2, 4}} {
			want[fmt.Sprint("level", i)] = graphs.Shape{2, channels[i], size[0], size[1]}
		}
		for _, o := range b.graph.Outputs() {
			if !o.Value.Shape().Equal(want[o.Name]) {
				t.Errorf("%s: %s is %v, want %v", encoder, o.Name, o.Value.Shape(), want[o.Name])
			}
		}
	}
}

// TestInvertedNames: parameters bear torchvision's names, or EfficientNet-PyTorch's.
func TestInvertedNames(t *testing.T) {
	for encoder, want := range map[string][]string{
		"mobilenet_v2": {
			"features.0.0.weight", "features.0.1.bias", "features.1.conv.0.0.weight", "features.1.conv.0.1.weight", "features.1.conv.1.weight",
			"features.1.conv.2.bias", "features.2.conv.1.0.weight", "features.2.conv.2.weight", "features.17.conv.3.bias", "features.18.1.weight",
		},
		"efficientnet_lite0": {
			"_conv_stem.weight", "_bn0.bias", "_blocks.0._depthwise_conv.weight", "_blocks.0._bn1.weight", "_blocks.0._project_conv.weight",
			"_blocks.1._expand_conv.weight", "_blocks.1._bn0.bias", "_blocks.15._bn2.bias", "_conv_head.weight", "_bn1.weight",
		},
	} {
		a := smallArch()
		a.Encoder = encoder
		specs, err := a.Params()
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range want {
			i := slices.IndexFunc(specs, func(p ParamSpec) bool { return p.Name == "backbone."+name })
			if i < 0 {
				t.Errorf("%s has no %s", encoder, name)
				continue
			}
			if norm := len(specs[i].Shape) == 1; specs[i].Decay == norm {
				t.Errorf("%s: decay is %t", name, specs[i].Decay)
			}
		}
	}
}

// TestInvertedNoise: stochastic depth concerns blocks with a residual only, by their place among
// all.
func TestInvertedNoise(t *testing.T) {
	a := smallArch()
	a.DropPath = 0.5
	b := wholeOf(t, a, small(false), train{}, 2, 64, 64)
	var got []string
	for _, n := range b.net.Noise() {
		got = append(got, fmt.Sprintf("%s %v %.2f", n.Input.Name(), n.Input.Shape(), n.Keep))
	}
	if want := []string{"drop_path.block2 [2,1,1,1] 0.80", "dropout.decode_head [2,6,1,1] 0.90"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestInput: what images are normalised by is the encoder's.
func TestInput(t *testing.T) {
	for encoder, want := range map[string][2]float32{"mit_b0": {123.675, 58.395}, "mobilenet_v2": {123.675, 58.395}, "efficientnet_lite0": {127, 128}, "none": {123.675, 58.395}} {
		if mean, std := Input(encoder); mean[0] != want[0] || std[0] != want[1] {
			t.Errorf("%s: %v, %v", encoder, mean, std)
		}
	}
}

// torchvision 0.29.2's mobilenet_v2 has 3,504,872 parameters, timm 1.0.31's tf_efficientnet_lite0
// 4,652,008; 1280·1000 + 1000 of each are the classifier's. torchvision's LRASPPHead has 331,014
// and 331,166 for their levels.
func TestInvertedParameterCounts(t *testing.T) {
	const classifier = 1281000
	for encoder, want := range map[string]int{"mobilenet_v2": 3504872 - classifier, "efficientnet_lite0": 4652008 - classifier} {
		a := imageNet(Arch{Encoder: encoder, Head: "lraspp", Classes: 19, HeadWidth: 128})
		specs, err := a.Params()
		if err != nil {
			t.Fatal(err)
		}
		sums := map[Group]int{}
		for _, p := range specs {
			sums[p.Group] += p.Shape.Size()
		}
		head := map[string]int{"mobilenet_v2": 331014, "efficientnet_lite0": 331166}[encoder]
		if sums[Encoder] != want || sums[Head] != head {
			t.Errorf("%s: %d parameters in the encoder, %d in the head, want %d and %d", encoder, sums[Encoder], sums[Head], want, head)
		}
	}
}

func TestInvertedRefuses(t *testing.T) {
	for _, c := range []struct {
		change func(a *Arch)
		want   string
	}{
		{func(a *Arch) { a.Stem = StemPlain }, "encoder mobilenet_v2: there is no stem to choose"},
		{func(a *Arch) { a.EncoderBN = "group" }, `encoder mobilenet_v2: encoder_bn "group" does not exist; there are batch, frozen`},
		{func(a *Arch) { a.Dilations = []int{6} }, "head lraspp: there are no dilations to choose"},
		{func(a *Arch) { a.HeadWidth = 0 }, "head lraspp: head width is 0"},
	} {
		a := smallArch()
		c.change(&a)
		if err := a.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want it to say %q", err, c.want)
		}
	}
}
