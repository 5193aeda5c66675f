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
		{func(a *Arch) { a.Encoder = "resnet" }, []string{`encoder "resnet"`, "mit_b0", "mit_b5", "mit_nano"}},
		{func(a *Arch) { a.Head = "fcn" }, []string{`head "fcn"`, "daformer, segformer"}},
		{func(a *Arch) { a.Classes = 0 }, []string{"classes is 0"}},
		{func(a *Arch) { a.HeadWidth = -1 }, []string{"head width is -1"}},
		{func(a *Arch) { a.ProjectorWidth = -1 }, []string{"projector width is -1"}},
		{func(a *Arch) { a.ProjectorInput = "first" }, []string{`projector input "first"`, "concat, last"}},
		{func(a *Arch) { a.DropPath = 1 }, []string{"drop path rate is 1"}},
		{func(a *Arch) { a.Dropout = math.NaN() }, []string{"dropout rate is NaN"}},
		{func(a *Arch) { a.Std[1] = 0 }, []string{"std[1] is 0"}},
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
			if norm := strings.Contains(p.Name, "norm") || strings.Contains(p.Name, ".bn."); p.Decay == norm {
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
}
