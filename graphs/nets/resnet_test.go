package nets

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"t2sda/graphs"
	"t2sda/graphs/graphtest"
)

func reducedArch() Arch {
	a := nano()
	a.Encoder, a.Head = "resnet50", "deeplabv2"
	return a
}

// TestResNetShapes: the levels lie at strides 4, 8, 8 and 8, for sizes that are no multiples, too,
// and what DeepLabV2's classifiers read is the last of them.
func TestResNetShapes(t *testing.T) {
	g, err := graphs.Build("shapes", func(g *graphs.Graph) {
		n := newNet(g, reducedArch(), reduced, train{})
		levels := n.Encode(g.Input("image", graphs.Float32, 2, 3, 61, 100))
		want := []graphs.Shape{{2, 32, 16, 25}, {2, 64, 8, 13}, {2, 128, 8, 13}, {2, 256, 8, 13}}
		for i, l := range levels {
			if !l.Shape().Equal(want[i]) {
				t.Errorf("level %d is %v, want %v", i, l.Shape(), want[i])
			}
		}
		if n.Decode(levels) != levels[3] {
			t.Error("there is a layer before the classifiers")
		}
		if got, want := n.Segment(levels).Shape(), (graphs.Shape{2, 5, 8, 13}); !got.Equal(want) {
			t.Errorf("logits are %v, want %v", got, want)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range g.Nodes() {
		if n.Op() == "MaxPool" {
			return
		}
	}
	t.Error("the stem has no pooling")
}

// TestResNetDilations reads strides and dilations off the 3×3 convolutions of the stages: the first
// block of a dilated stage has half of its dilation.
func TestResNetDilations(t *testing.T) {
	g, err := graphs.Build("dilations", func(g *graphs.Graph) {
		newNet(g, reducedArch(), resnet{8, [4]int{1, 2, 2, 3}}, train{}).Encode(g.Input("image", graphs.Float32, 1, 3, 64, 64))
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, n := range g.Nodes() {
		if n.Op() == "Conv" && n.Inputs()[1].Dim(2) == 3 && !strings.Contains(n.Inputs()[1].Name(), "stem") {
			got = append(got, fmt.Sprint(n.Ints("strides")[0], "/", n.Ints("dilations")[0]))
		}
	}
	if want := []string{"1/1", "2/1", "1/1", "1/1", "1/2", "1/2", "1/4", "1/4"}; !slices.Equal(got, want) {
		t.Errorf("strides and dilations %q, want %q", got, want)
	}
}

// TestResNetNames: parameters bear the names of mmsegmentation's ResNet and DAFormer's DLV2Head.
func TestResNetNames(t *testing.T) {
	for stem, want := range map[string][]string{
		StemDeep:  {"backbone.stem.0.weight", "backbone.stem.3.weight", "backbone.stem.6.weight", "backbone.layer1.0.conv1.weight"},
		StemPlain: {"backbone.conv1.weight", "backbone.layer1.0.conv1.weight", "backbone.layer1.0.conv2.weight", "backbone.layer1.0.conv3.weight"},
	} {
		a := reducedArch()
		a.Stem, a.ProjectorWidth = stem, 0
		n, err := declare(a, reduced)
		if err != nil {
			t.Fatal(err)
		}
		var kernels, names []string
		for _, p := range n.params {
			names = append(names, p.Name)
			if p.Decay {
				kernels = append(kernels, p.Name)
			}
			norm := strings.Contains(p.Name, "bn") || strings.Contains(p.Name, "downsample.1")
			for _, s := range []string{"stem.1.", "stem.4.", "stem.7."} {
				norm = norm || strings.Contains(p.Name, s)
			}
			if p.Decay == norm {
				t.Errorf("%s: decay is %t", p.Name, p.Decay)
			}
		}
		if !slices.Equal(kernels[:4], want) {
			t.Errorf("%s stem: begins with %q, want %q", stem, kernels[:4], want)
		}
		for _, name := range []string{"backbone.layer4.0.downsample.0.weight", "backbone.layer4.0.downsample.1.bias", "backbone.layer4.1.bn3.weight", "decode_head.aspp_modules.1.conv.bias"} {
			if !slices.Contains(names, name) {
				t.Errorf("there is no %s", name)
			}
		}
	}
}

// TestFrozen: frozen batch norms are inputs that nobody trains and no statistics come of; the
// projector's are trained all the same.
func TestFrozen(t *testing.T) {
	a := reducedArch()
	a.EncoderBN = BNFrozen
	n, err := declare(a, reduced)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range n.params {
		if p.Group == Encoder && !p.Decay {
			t.Errorf("%s is trained", p.Name)
		}
	}
	var want []string
	for _, b := range n.buffers {
		if strings.HasPrefix(b.Name, "backbone.") {
			want = append(want, b.Name)
		}
		if one := strings.HasSuffix(b.Name, ".weight") || strings.HasSuffix(b.Name, "_var"); (b.Init == 1) != one {
			t.Errorf("%s begins as %g", b.Name, b.Init)
		}
	}
	b := wholeOf(t, a, reduced, train{}, 1, 16, 16)
	var got []string
	for _, v := range b.net.Buffers() {
		got = append(got, v.Name())
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) || len(got) != 4*(3+7*3+4) {
		t.Errorf("%d inputs hold buffers, %d buffers are the encoder's", len(got), len(want))
	}
	if s := b.net.BatchStats(); len(s) != 2 || s[0].Name != "projector.0.bn" {
		t.Errorf("statistics of %d batch norms", len(s))
	}
}

// TestResNetNoise: stochastic depth multiplies a bottleneck's branch, from rate 0 at the first
// block on, and dropout the map that the classifiers read.
func TestResNetNoise(t *testing.T) {
	a := reducedArch()
	a.DropPath, a.Dropout = 0.3, 0.1
	b := wholeOf(t, a, reduced, train{}, 2, 16, 16)
	var got []string
	for _, n := range b.net.Noise() {
		got = append(got, fmt.Sprintf("%s %v %.2f", n.Input.Name(), n.Input.Shape(), n.Keep))
	}
	want := []string{
		"drop_path.layer2.0 [2,1,1,1] 0.95", "drop_path.layer2.1 [2,1,1,1] 0.90", "drop_path.layer3.0 [2,1,1,1] 0.85",
		"drop_path.layer3.1 [2,1,1,1] 0.80", "drop_path.layer4.0 [2,1,1,1] 0.75", "drop_path.layer4.1 [2,1,1,1] 0.70",
		"dropout.decode_head [2,256,1,1] 0.90",
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}

// flat is an encoder of one level, as a plain ViT is; steps one of any number of levels.
type flat struct{ stride, levels int }

func (f flat) least() int { return f.stride << (f.levels - 1) }

func (flat) check(Arch) error { return nil }

func (f flat) encode(n *Net, x *value) []*value {
	var levels []*value
	stride := f.stride
	for i := range f.levels {
		name := fmt.Sprintf("backbone.level%d", i)
		x = n.g.Relu(n.conv(name, 4+i, x.Dim(1), stride, strided(stride, 0)).apply(x))
		levels, stride = append(levels, x), 2
	}
	return levels
}

// TestAnyLevels: heads and projector take an encoder of one level and of five, of other strides and
// widths than ours.
func TestAnyLevels(t *testing.T) {
	for _, e := range []flat{{8, 1}, {2, 5}} {
		for _, head := range Heads() {
			for _, input := range []string{ProjectConcat, ProjectLast} {
				a := nano()
				a.Head, a.ProjectorInput = head, input
				b := wholeOf(t, a, e, train{}, 1, 32, 48)
				got := graphtest.Run(b.graph, b.start(1))
				size := []int{32 / e.stride, 48 / e.stride}
				last := []int{32 / e.least(), 48 / e.least()}
				logits, features := size, size
				switch {
				case head == "deeplabv2" || head == "linear":
					logits = last
				case head == "lraspp" && e.levels > 1:
					logits = []int{16 / e.stride, 24 / e.stride}
				}
				if input == ProjectLast {
					features = last
				}
				if s := got["logits"].Shape; !slices.Equal(s[2:], logits) {
					t.Errorf("%v %s: logits %v, want %v", e, head, s, logits)
				}
				if s := got["features"].Shape; !slices.Equal(s[2:], features) {
					t.Errorf("%v %s: features %v, want %v", e, input, s, features)
				}
			}
		}
	}
}

// TestTensorOfTwoShapes: a name cannot stand for two shapes.
func TestTensorOfTwoShapes(t *testing.T) {
	_, err := graphs.Build("twice", func(g *graphs.Graph) {
		n := newNet(g, nano(), tiny, train{})
		n.batchNorm("b", 2)
		n.batchNorm("b", 2)
		n.batchNorm("b", 3)
	})
	if err == nil || !strings.Contains(err.Error(), "in another shape") {
		t.Errorf("got %v", err)
	}
}
