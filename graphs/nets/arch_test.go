package nets

import (
	"math"
	"slices"
	"strings"
	"testing"

	"t2sda/internal/rng"
)

func nano() Arch {
	return imageNet(Arch{
		Encoder: "mit_nano", Head: "segformer", Classes: 5, HeadWidth: 16, ProjectorWidth: 8, ProjectorInput: ProjectConcat, DropPath: 0.1, Dropout: 0.1,
	})
}

func TestValidateNamesTheField(t *testing.T) {
	if err := nano().Validate(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		change func(a *Arch)
		want   []string
	}{
		{func(a *Arch) { a.Encoder = "resnet" }, []string{`encoder "resnet"`, "mit_b0", "mit_b5", "mit_nano", "resnet101"}},
		{func(a *Arch) { a.Head = "fcn" }, []string{`head "fcn"`, "daformer, deeplabv2, linear, lraspp, segformer"}},
		{func(a *Arch) { a.Classes = 0 }, []string{"classes is 0"}},
		{func(a *Arch) { a.HeadWidth = -1 }, []string{"head width is -1"}},
		{func(a *Arch) { a.ProjectorWidth = -1 }, []string{"projector width is -1"}},
		{func(a *Arch) { a.ProjectorInput = "first" }, []string{`projector input "first"`, "concat, last"}},
		{func(a *Arch) { a.DropPath = 1 }, []string{"drop path rate is 1"}},
		{func(a *Arch) { a.Dropout = math.NaN() }, []string{"dropout rate is NaN"}},
		{func(a *Arch) { a.Std[1] = 0 }, []string{"std[1] is 0"}},
		{func(a *Arch) { a.Stem = StemPlain }, []string{`encoder mit_nano: there is no stem to choose: have "plain"`}},
		{func(a *Arch) { a.EncoderBN = BNFrozen }, []string{`encoder mit_nano: there is no encoder_bn to choose: have "frozen"`}},
		{func(a *Arch) { a.Dilations = []int{6} }, []string{"head segformer: there are no dilations to choose: have [6]"}},
		{func(a *Arch) { a.Head, a.Dilations = "deeplabv2", []int{6, 0} }, []string{"head deeplabv2: dilations are [6 0]"}},
		{func(a *Arch) { a.Encoder, a.Stem = "resnet50", "wide" }, []string{`encoder resnet50: stem "wide" does not exist; there are deep, plain`}},
		{func(a *Arch) { a.EncoderTrain = "head" }, []string{`encoder mit_nano: encoder_train "head" does not exist; there are all, frozen, lora`}},
		{func(a *Arch) { a.LoRARank = 8 }, []string{"LoRA has rank 8 and alpha 0: they need encoder_train lora"}},
		{func(a *Arch) { a.EncoderTrain, a.LoRARank = TrainLoRA, 8 }, []string{"LoRA has rank 8 and alpha 0, want at least 1 and more than 0"}},
		{func(a *Arch) { a.EncoderTrain, a.LoRARank, a.LoRAAlpha, a.Encoder = TrainLoRA, 8, 8, "resnet50" }, []string{"encoder resnet50: it has no queries and values for LoRA to adapt: take encoder_train all or frozen"}},
		{func(a *Arch) { a.Encoder, a.Stem = "dinov2_vits14", "deep" }, []string{"encoder dinov2_vits14: there is no stem to choose"}},
		{func(a *Arch) { a.Head, a.Dilations = "linear", []int{6} }, []string{"head linear: there are no dilations to choose"}},
		{func(a *Arch) { a.Encoder, a.EncoderBN = "resnet50", "group" }, []string{`encoder_bn "group" does not exist; there are batch, frozen`}},
	} {
		a := nano()
		c.change(&a)
		err := a.Validate()
		_, perr := a.Params()
		_, berr := a.Buffers()
		_, merr := a.MinSize()
		for _, err := range []error{err, perr, berr, merr} {
			for _, w := range c.want {
				if err == nil || !strings.Contains(err.Error(), w) {
					t.Errorf("got %v, want it to say %q", err, w)
				}
			}
		}
	}
}

// The counts are those of transformers 5.23.0: SegformerModel, and
// SegformerForSemanticSegmentation with 150 classes, at the public configurations (the paper's
// table 1 has 3.4, 13.1, 24.2, 44.0, 60.8 and 81.4 million).
func TestParameterCounts(t *testing.T) {
	for _, c := range []struct {
		encoder        string
		width          int
		encoder1, all1 int
	}{
		{"mit_b0", 256, 3319392, 3752694},
		{"mit_b1", 256, 13151424, 13715798},
		{"mit_b2", 768, 24196288, 27461974},
		{"mit_b3", 768, 44072128, 47337814},
		{"mit_b4", 768, 60842688, 64108374},
		{"mit_b5", 768, 81443008, 84708694},
	} {
		specs, err := imageNet(Arch{Encoder: c.encoder, Head: "segformer", Classes: 150, HeadWidth: c.width}).Params()
		if err != nil {
			t.Fatal(err)
		}
		sums := map[Group]int{}
		for _, p := range specs {
			sums[p.Group] += p.Shape.Size()
		}
		if sums[Encoder] != c.encoder1 || sums[Encoder]+sums[Head] != c.all1 {
			t.Errorf("%s: %d parameters in the encoder, %d in all; want %d and %d", c.encoder, sums[Encoder], sums[Encoder]+sums[Head], c.encoder1, c.all1)
		}
	}
}

// torchvision 0.29.2's resnet50 and resnet101 have 25,557,032 and 44,549,160 parameters, without
// their classifiers (fc, 2048·1000 + 1000) 23,508,032 and 42,500,160. The deep stem has three
// convolutions in place of one,
//
//	9·(3·32 + 32·32 + 32·64) + 2·(32 + 32 + 64) − (49·3·64 + 2·64) = 28768 − 9536 = 19232 more,
//
// which makes the 25,576,264 with classifier that timm says of its resnet50c. Frozen batch norms
// have no parameters: their four tensors are buffers.
func TestResNetParameterCounts(t *testing.T) {
	const norms50, norms101 = 53120, 105344 // scale and shift of all batch norms, of the plain stem
	for _, c := range []struct {
		encoder, stem, bn string
		want              int
	}{
		{"resnet50", StemPlain, "", 23508032},
		{"resnet101", StemPlain, "", 42500160},
		{"resnet50", StemDeep, BNBatch, 23508032 + 19232},
		{"resnet101", "", "", 42500160 + 19232},
		{"resnet50", StemPlain, BNFrozen, 23508032 - norms50},
		{"resnet101", StemPlain, BNFrozen, 42500160 - norms101},
	} {
		for _, dilations := range [][]int{nil, {6, 12, 18, 24}} {
			a := imageNet(Arch{Encoder: c.encoder, Stem: c.stem, EncoderBN: c.bn, Head: "deeplabv2", Dilations: dilations, Classes: 19})
			specs, err := a.Params()
			if err != nil {
				t.Fatal(err)
			}
			sums := map[Group]int{}
			for _, p := range specs {
				sums[p.Group] += p.Shape.Size()
			}
			branches := max(len(dilations), 2)
			if head := branches * (9*2048*19 + 19); sums[Encoder] != c.want || sums[Head] != head {
				t.Errorf("%s %s %s: %d parameters in the encoder, %d in the head; want %d and %d", c.encoder, c.stem, c.bn, sums[Encoder], sums[Head], c.want, head)
			}
		}
	}
}

// The counts are those of facebookresearch/dinov2's hub models and of transformers' Dinov2Model and
// Dinov2WithRegistersModel, which have one more tensor [C], the token for masked patches.
func TestDINOv2ParameterCounts(t *testing.T) {
	for _, c := range []struct {
		encoder       string
		public, width int
	}{
		{"dinov2_vits14", 22056576, 384},
		{"dinov2_vits14_reg", 22058112, 384},
		{"dinov2_vitb14", 86580480, 768},
		{"dinov2_vitb14_reg", 86583552, 768},
		{"dinov2_vitl14", 304368640, 1024},
		{"dinov2_vitl14_reg", 304372736, 1024},
	} {
		a := imageNet(Arch{Encoder: c.encoder, Head: "linear", Classes: 19})
		for _, way := range []string{TrainAll, TrainFrozen, TrainLoRA} {
			if a.EncoderTrain = way; way == TrainLoRA {
				a.LoRARank, a.LoRAAlpha = 16, 16
			}
			params, err := a.Params()
			if err != nil {
				t.Fatal(err)
			}
			fixed, err := a.Fixed()
			if err != nil {
				t.Fatal(err)
			}
			trained, rest, head := 0, 0, 0
			for _, p := range params {
				if p.Group == Head {
					head += p.Shape.Size()
				} else {
					trained += p.Shape.Size()
				}
			}
			for _, p := range fixed {
				rest += p.Shape.Size()
			}
			blocks := 12
			if c.width == 1024 {
				blocks = 24
			}
			want := map[string][2]int{ // trained, fixed
				TrainAll: {c.public - c.width, 0}, TrainFrozen: {0, c.public - c.width}, TrainLoRA: {blocks * 2 * 2 * 16 * c.width, c.public - c.width},
			}[way]
			if wantHead := 2*c.width + 19*c.width + 19; trained != want[0] || rest != want[1] || head != wantHead {
				t.Errorf("%s %s: %d values of the encoder are trained, %d fixed, %d in the head; want %v and %d", c.encoder, way, trained, rest, head, want, wantHead)
			}
		}
	}
}

func TestPublished(t *testing.T) {
	for _, e := range Encoders() {
		if got := (Arch{Encoder: e}).Published(); got == strings.HasSuffix(e, "nano") {
			t.Errorf("%s: %v", e, got)
		}
	}
}

func TestParamsAreInArenaOrder(t *testing.T) {
	for _, head := range Heads() {
		a := nano()
		a.Head = head
		specs, err := a.Params()
		if err != nil {
			t.Fatal(err)
		}
		rank := func(p ParamSpec) int {
			r := 2 * int(p.Group)
			if !p.Decay {
				r++
			}
			return r
		}
		if !slices.IsSortedFunc(specs, func(p, q ParamSpec) int { return rank(p) - rank(q) }) {
			t.Errorf("%s: groups are mixed", head)
		}
		seen := map[string]bool{}
		for _, p := range specs {
			if seen[p.Name] {
				t.Errorf("%s occurs twice", p.Name)
			}
			seen[p.Name] = true
			if norm := strings.Contains(p.Name, "norm") || strings.Contains(p.Name, ".bn.") || strings.Contains(p.Name, ".cbr.1."); p.Decay == norm {
				t.Errorf("%s: decay is %t", p.Name, p.Decay)
			}
			if encoder := strings.HasPrefix(p.Name, "backbone."); encoder != (p.Group == Encoder) {
				t.Errorf("%s is in group %s", p.Name, p.Group)
			}
		}
	}
}

func TestBuffers(t *testing.T) {
	got, err := nano().Buffers()
	if err != nil {
		t.Fatal(err)
	}
	want := []BufferSpec{
		{"decode_head.linear_fuse.bn.running_mean", 16, 0},
		{"decode_head.linear_fuse.bn.running_var", 16, 1},
		{"projector.0.bn.running_mean", 8, 0},
		{"projector.0.bn.running_var", 8, 1},
		{"projector.1.bn.running_mean", 8, 0},
		{"projector.1.bn.running_var", 8, 1},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestInit checks every initialiser's mean and deviation over all of its draws, and that equal
// generators give equal parameters.
func TestInit(t *testing.T) {
	a := imageNet(Arch{Encoder: "mit_b0", Head: "daformer", Classes: 19, HeadWidth: 256})
	specs, err := a.Params()
	if err != nil {
		t.Fatal(err)
	}
	deviations := map[string]float64{
		"backbone.patch_embed1.proj.weight":                 math.Sqrt(2.0 / (49 * 32)),
		"backbone.block4.1.attn.kv.weight":                  0.02,
		"backbone.block1.0.attn.sr.weight":                  math.Sqrt(2.0 / (64 * 32)),
		"backbone.block4.0.mlp.dwconv.dwconv.weight":        math.Sqrt(2.0 / 9),
		"decode_head.embed_layers.3.proj.weight":            1 / math.Sqrt(3*256), // uniform within ±1/√256
		"decode_head.fuse_layer.bottleneck.conv.weight":     math.Sqrt(2.0 / (9 * 256)),
		"decode_head.conv_seg.weight":                       0.01,
		"decode_head.fuse_layer.aspp_modules.0.bn.weight":   0,
		"decode_head.fuse_layer.aspp_modules.0.bn.bias":     0,
		"backbone.block1.0.mlp.fc1.bias":                    0,
		"decode_head.fuse_layer.aspp_modules.0.conv.weight": math.Sqrt(2.0 / 256),
	}
	checked := 0
	for _, p := range specs {
		x, again := make([]float32, p.Shape.Size()), make([]float32, p.Shape.Size())
		p.Init(rng.New(7, 0, p.Name), x)
		p.Init(rng.New(7, 0, p.Name), again)
		if !slices.Equal(x, again) {
			t.Errorf("%s: two draws of one seed differ", p.Name)
		}
		want, ok := deviations[p.Name]
		if !ok {
			continue
		}
		checked++
		mean, deviation := moments(x)
		wantMean := 0.0
		if strings.HasSuffix(p.Name, "bn.weight") {
			wantMean = 1
		}
		slack := 4 * want / math.Sqrt(float64(len(x))) // four standard errors
		if math.Abs(mean-wantMean) > slack || math.Abs(deviation-want) > slack {
			t.Errorf("%s: mean %g, deviation %g, want %g and %g within %g", p.Name, mean, deviation, wantMean, want, slack)
		}
	}
	if checked != len(deviations) {
		t.Errorf("checked %d of %d", checked, len(deviations))
	}
}

func moments(x []float32) (mean, deviation float64) {
	for _, v := range x {
		mean += float64(v) / float64(len(x))
	}
	for _, v := range x {
		deviation += (float64(v) - mean) * (float64(v) - mean) / float64(len(x))
	}
	return mean, math.Sqrt(deviation)
}

func TestMinSize(t *testing.T) {
	// stage 1 needs 8 rows: (29+6−7)/4+1 = 8, then 4, 2, 1; with 28 rows it has 7
	if got, err := nano().MinSize(); got != 29 || err != nil {
		t.Errorf("got %d, %v", got, err)
	}
	a := nano()
	a.Encoder = "resnet50"
	if got, err := a.MinSize(); got != 1 || err != nil {
		t.Errorf("ResNet: got %d, %v", got, err)
	}
}
