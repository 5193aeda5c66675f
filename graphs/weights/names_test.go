package weights_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"t2sda/graphs/nets"
	"t2sda/graphs/weights"
	"t2sda/graphs/weights/fit"
)

// network returns a network's tensors under our names; tensor k holds k+1, k+2, …
func network(t *testing.T, infos []weights.Info) []weights.Tensor {
	t.Helper()
	var out []weights.Tensor
	for k, p := range infos {
		x := weights.Tensor{Name: p.Name, Shape: slices.Clone(p.Shape)}
		x.Data = make([]float32, x.Size())
		for i := range x.Data {
			x.Data[i] = float32(k + i + 1)
		}
		out = append(out, x)
	}
	return out
}

func b0(t *testing.T, head string) []weights.Info {
	t.Helper()
	infos, err := fit.Tensors(nets.Arch{Encoder: "mit_b0", Head: head, Classes: 19, HeadWidth: 256, Std: [3]float32{1, 1, 1}})
	if err != nil {
		t.Fatal(err)
	}
	return infos
}

// hrdaOf lists the tensors of a network of two resolutions, encoder and heads.
func hrdaOf(t *testing.T) []weights.Info {
	t.Helper()
	infos, err := fit.Tensors(nets.Arch{
		Encoder: "mit_b0", Head: "daformer", Classes: 19, HeadWidth: 256, DetailWidth: 64, DetailHeight: 64, AttentionWidth: 256, Std: [3]float32{1, 1, 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	return infos
}

// TestHRDANames: the public code's network holds both heads in one.
func TestHRDANames(t *testing.T) {
	theirs, left, err := weights.Rename("hrda", network(t, small(hrdaOf(t))))
	if err != nil || len(left) > 0 {
		t.Fatalf("%v, left out %v", err, left)
	}
	have := map[string]bool{}
	for _, x := range theirs {
		have[x.Name] = true
	}
	for _, name := range []string{
		"decode_head.head.fuse_layer.bottleneck.conv.weight", "decode_head.head.conv_seg.bias",
		"decode_head.scale_attention.embed_layers.3.proj.weight", "decode_head.scale_attention.fuse_layer.conv.weight",
		"decode_head.scale_attention.fuse_layer.bn.running_var", "decode_head.scale_attention.conv_seg.weight",
	} {
		if !have[name] {
			t.Errorf("there is no %s", name)
		}
	}
}

// encoderOf lists an encoder's tensors.
func encoderOf(t *testing.T, name, stem string) []weights.Info {
	t.Helper()
	infos, err := fit.Encoder(name, stem)
	if err != nil {
		t.Fatal(err)
	}
	return infos
}

// public returns names and shapes of a public network's tensors (golden.py).
func public(t *testing.T, name string) map[string][]int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "names.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]map[string][]int
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	if all[name] == nil {
		t.Fatalf("no %s", name)
	}
	return all[name]
}

// open returns the tensors as an open file.
func open(t *testing.T, tensors []weights.Tensor) *weights.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "w.safetensors")
	if err := weights.Save(path, tensors, nil); err != nil {
		t.Fatal(err)
	}
	f, err := weights.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// TestNamesAreInverse gives a network's tensors the names of each convention and
// finds them again: names, shapes and every element. What a convention has no names
// for is left out and nothing else.
func TestNamesAreInverse(t *testing.T) {
	dlv2 := []weights.Info{{Name: "decode_head.aspp_modules.0.conv.weight", Shape: []int{2, 8, 3, 3}}, {Name: "decode_head.aspp_modules.0.conv.bias", Shape: []int{2}}}
	for _, c := range []struct {
		network    string
		infos      []weights.Info
		convention string
		left       string // what the names of tensors that are left out begin with
	}{
		{"segformer", b0(t, "segformer"), "ours", ""},
		{"segformer", b0(t, "segformer"), "hf", ""},
		{"segformer", b0(t, "segformer"), "hf5", ""},
		{"segformer", b0(t, "segformer"), "original", ""},
		{"segformer", b0(t, "segformer"), "mmseg", "decode_head.linear_"},
		{"segformer", b0(t, "segformer"), "smp", "decode_head."},
		{"daformer", b0(t, "daformer"), "mmseg", ""},
		{"daformer", b0(t, "daformer"), "hf", "decode_head."},
		{"daformer", b0(t, "daformer"), "hrda", ""},
		{"two resolutions", hrdaOf(t), "hrda", ""},
		{"resnet50", encoderOf(t, "resnet50", nets.StemPlain), "torchvision", ""},
		{"resnet50", encoderOf(t, "resnet50", nets.StemPlain), "mmseg", ""},
		{"resnet101, deep", encoderOf(t, "resnet101", nets.StemDeep), "timm", ""},
		{"resnet101, deep", encoderOf(t, "resnet101", nets.StemDeep), "openmmlab", ""},
		{"mobilenet_v2", encoderOf(t, "mobilenet_v2", ""), "torchvision", ""},
		{"mobilenet_v2", encoderOf(t, "mobilenet_v2", ""), "tonylins", ""},
		{"mobilenet_v2", encoderOf(t, "mobilenet_v2", ""), "timm-mobilenet", ""},
		{"efficientnet_lite0", encoderOf(t, "efficientnet_lite0", ""), "lukemelas", ""},
		{"efficientnet_lite0", encoderOf(t, "efficientnet_lite0", ""), "timm-efficientnet", ""},
		{"dinov2_vits14_reg", encoderOf(t, "dinov2_vits14_reg", ""), "dinov2", ""},
		{"dinov2_vits14_reg", encoderOf(t, "dinov2_vits14_reg", ""), "hf", ""},
		{"dinov2_vits14", encoderOf(t, "dinov2_vits14", ""), "hf5", ""},
		{"resnet101, deep", append(encoderOf(t, "resnet101", nets.StemDeep), dlv2...), "mmseg", ""},
	} {
		t.Run(c.network+"/"+c.convention, func(t *testing.T) {
			ours := network(t, small(c.infos))
			named, left, err := weights.Rename(c.convention, ours)
			if err != nil {
				t.Fatal(err)
			}
			want := slices.DeleteFunc(slices.Clone(ours), func(x weights.Tensor) bool { return c.left != "" && strings.HasPrefix(x.Name, c.left) })
			if len(left) != len(ours)-len(want) {
				t.Errorf("left out: %v", left)
			}
			f := open(t, named)
			var infos []weights.Info
			for _, x := range want {
				infos = append(infos, weights.Info{Name: x.Name, Shape: x.Shape})
			}
			found, err := f.Find(infos, "")
			if err != nil {
				t.Fatal(err)
			}
			if err := found.Check(); err != nil {
				t.Fatalf("as %s: %v", found.Convention, err)
			}
			back, err := f.ReadFound(found)
			if err != nil {
				t.Fatal(err)
			}
			for i, x := range back {
				if x.Name != want[i].Name || !slices.Equal(x.Shape, want[i].Shape) || !slices.Equal(x.Data, want[i].Data) {
					t.Errorf("%s %v came back as %s %v", want[i].Name, want[i].Shape, x.Name, x.Shape)
				}
			}
		})
	}
}

// small cuts every axis to at most six, the keys' and values' to twice that of
// queries, so that whole networks take no memory.
func small(infos []weights.Info) []weights.Info {
	out := slices.Clone(infos)
	for i, t := range out {
		out[i].Shape = slices.Clone(t.Shape)
		for k, d := range t.Shape {
			out[i].Shape[k] = min(d, 6)
		}
		if strings.Contains(t.Name, ".attn.kv.") {
			out[i].Shape[0] = 12
		}
	}
	return out
}

// TestPublicNames compares the tables with the names and shapes that the public
// networks' own code makes, in both directions.
func TestPublicNames(t *testing.T) {
	for _, c := range []struct {
		name, convention string
		ours             []weights.Info
	}{
		{"hf/mit_b0", "hf", b0(t, "segformer")},
		{"hf5/mit_b0", "hf5", b0(t, "segformer")},
		{"torchvision/resnet50", "torchvision", encoderOf(t, "resnet50", nets.StemPlain)},
		{"torchvision/resnet101", "torchvision", encoderOf(t, "resnet101", nets.StemPlain)},
		{"timm/resnet50", "timm", encoderOf(t, "resnet50", nets.StemDeep)},
		{"timm/resnet101", "timm", encoderOf(t, "resnet101", nets.StemDeep)},
		{"torchvision/mobilenet_v2", "torchvision", encoderOf(t, "mobilenet_v2", "")},
		{"timm/mobilenetv2_100", "timm-mobilenet", encoderOf(t, "mobilenet_v2", "")},
		{"timm/tf_efficientnet_lite0", "timm-efficientnet", encoderOf(t, "efficientnet_lite0", "")},
		{"efficientnet-lite-pytorch/efficientnet-lite0", "lukemelas", encoderOf(t, "efficientnet_lite0", "")},
		{"dinov2/vits14_reg", "dinov2", encoderOf(t, "dinov2_vits14_reg", "")},
		{"timm/vits14", "dinov2", encoderOf(t, "dinov2_vits14", "")},
		{"hf/vits14_reg", "hf", encoderOf(t, "dinov2_vits14_reg", "")},
		{"hf5/vits14_reg", "hf5", encoderOf(t, "dinov2_vits14_reg", "")},
	} {
		want := public(t, c.name)
		for name := range want {
			if strings.HasSuffix(name, "num_batches_tracked") || strings.HasSuffix(name, "mask_token") || slices.ContainsFunc([]string{"fc.", "_fc.", "classifier."}, func(p string) bool { return strings.HasPrefix(name, p) }) {
				delete(want, name)
			}
		}
		ours := make([]weights.Tensor, len(c.ours)) // without elements, which names do not need
		for i, x := range c.ours {
			ours[i] = weights.Tensor{Name: x.Name, Shape: x.Shape}
		}
		named, left, err := weights.Rename(c.convention, ours)
		if err != nil || len(left) > 0 {
			t.Errorf("%s: %v left, %v", c.name, left, err)
		}
		for _, x := range named {
			if shape, ok := want[x.Name]; !ok || !slices.Equal(shape, x.Shape) {
				t.Errorf("%s: %s has shape %v, the public one %v", c.name, x.Name, x.Shape, shape)
			}
			delete(want, x.Name)
		}
		if len(want) > 0 {
			t.Errorf("%s: without a name of ours: %v", c.name, want)
		}
	}
}

// TestDINOv2WithinAClassifier: the encoder of transformers' classifier of images is
// found, and told in words.
func TestDINOv2WithinAClassifier(t *testing.T) {
	var given []weights.Info
	for name, shape := range public(t, "hf/vits14_classifier") {
		given = append(given, weights.Info{Name: name, Shape: shape})
	}
	f := open(t, network(t, given))
	found, err := f.Find(encoderOf(t, "dinov2_vits14", ""), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := found.Check(); err != nil || found.Convention != "hf" {
		t.Errorf("as %s: %v", found.Convention, err)
	}
	if fits := f.Fits(fit.Encoders()); !slices.Equal(fits, []string{"dinov2_vits14"}) {
		t.Errorf("fits %v", fits)
	}
	if words := f.Describe(); words != "a Vision Transformer of 384 channels and 12 blocks on patches of 14×14 px" {
		t.Errorf("it is %s", words)
	}
}

// TestDINOv2OfVFMUDA: of its checkpoints, which hold an average beside the network, the
// network's encoder is found.
func TestDINOv2OfVFMUDA(t *testing.T) {
	var given []weights.Info
	for name, shape := range public(t, "timm/vits14") {
		given = append(given, weights.Info{Name: "state_dict.network.encoder." + name, Shape: shape}, weights.Info{Name: "state_dict.network_ema.encoder." + name, Shape: shape})
	}
	found, err := open(t, network(t, given)).Find(encoderOf(t, "dinov2_vits14", ""), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := found.Check(); err != nil || found.Convention != "dinov2" || found.Part != "state_dict.network" {
		t.Errorf("part %s as %s: %v", found.Part, found.Convention, err)
	}
}

func TestRenameRefuses(t *testing.T) {
	one := []weights.Tensor{{Name: "backbone.conv1.weight", Shape: []int{1}, Data: []float32{1}}}
	for convention, want := range map[string]string{
		"hf":    "hf has no names for this network; there are ours, mmseg, hrda, torchvision",
		"keras": `names "keras" do not exist; there are ours, original, hf, `,
	} {
		if _, _, err := weights.Rename(convention, one); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("have %v, want %s", err, want)
		}
	}
}

// TestFindRefusesHalves: keys and values must both be there, in one shape.
func TestFindRefusesHalves(t *testing.T) {
	half := func(kind string, rows int) weights.Tensor {
		return weights.Tensor{Name: "segformer.encoder.block.0.0.attention.self." + kind + ".bias", Shape: []int{rows}, Data: make([]float32, rows)}
	}
	want := []weights.Info{{Name: "backbone.block1.0.attn.kv.bias", Shape: []int{4}}}
	f := open(t, []weights.Tensor{half("key", 2), half("value", 1)})
	if _, err := f.Find(want, ""); err == nil || !strings.Contains(err.Error(), "belong together and have") && !strings.Contains(err.Error(), "rows of 3 that belong together") {
		t.Errorf("have %v", err)
	}
	if _, err := open(t, []weights.Tensor{half("key", 0), half("value", 0)}).Find(want, ""); err == nil || !strings.Contains(err.Error(), "of shape [0] has no rows") {
		t.Errorf("without rows: %v", err)
	}
	found, err := open(t, []weights.Tensor{half("key", 2)}).Find(want, "")
	if err != nil {
		t.Fatal(err)
	}
	const message = "1 are missing (backbone.block1.0.attn.kv.bias); 1 are unexpected (segformer.encoder.block.0.0.attention.self.key.bias)"
	if err := found.Check(); err == nil || err.Error() != message {
		t.Errorf("have %v, want %s", err, message)
	}
	if err := found.Check(weights.AllowMissing, weights.AllowUnexpected); err != nil {
		t.Error(err)
	}
}

// TestLeftOut: what public files hold beside a segmentation network is no fault.
func TestLeftOut(t *testing.T) {
	ours := network(t, small(b0(t, "segformer")))
	f := open(t, append(slices.Clone(ours), one("head.weight", 1), one("decode_head.conv_seg.bias", 1), one("auxiliary_head.conv_seg.bias", 1), one("decode_head.linear_fuse.bn.num_batches_tracked", 1)))
	found, err := f.Find(small(b0(t, "segformer")), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := found.Check(); err != nil || len(found.LeftOut) != 4 {
		t.Errorf("left out %v, %v", found.LeftOut, err)
	}
}

// TestEncodeOrder: a file does not depend on the order of its tensors.
func TestEncodeOrder(t *testing.T) {
	named, _, err := weights.Rename("mmseg", network(t, small(b0(t, "daformer"))))
	if err != nil {
		t.Fatal(err)
	}
	var a, b bytes.Buffer
	if err := weights.Encode(&a, named, map[string]string{"format": "pt"}); err != nil {
		t.Fatal(err)
	}
	slices.Reverse(named)
	if err := weights.Encode(&b, named, map[string]string{"format": "pt"}); err != nil || !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Errorf("the order of tensors changes the file: %v", err)
	}
}

// TestSelfTraining: of a checkpoint of HRDA or MIC, which holds the trained model, its
// moving average and a frozen copy, the first is taken, with the one of its two heads
// that we have; of DAFormer's the moving average on demand.
func TestSelfTraining(t *testing.T) {
	ours := network(t, small(b0(t, "daformer")))
	theirs, _, err := weights.Rename("hrda", ours)
	if err != nil {
		t.Fatal(err)
	}
	var tensors []weights.Tensor
	for _, part := range []string{"ema_model.", "imnet_model.", "model."} {
		for _, x := range theirs {
			x.Name = part + x.Name
			tensors = append(tensors, x)
		}
		tensors = append(tensors, one(part+"decode_head.scale_attention.conv_seg.bias", 1))
	}
	f := open(t, append(tensors, one("optimizer.state.0.exp_avg", 1)))
	if parts := f.Parts(); !slices.Equal(parts, []string{"model", "ema_model", "imnet_model"}) {
		t.Errorf("parts %v", parts)
	}
	for word, want := range map[string]string{"": "model", "ema_model": "ema_model"} {
		found, err := f.Find(small(b0(t, "daformer")), word)
		if err != nil {
			t.Fatal(err)
		}
		if found.Part != want || found.Convention != "hrda" || len(found.Missing)+len(found.Misshapen) > 0 || len(found.Unexpected) != 1 {
			t.Errorf("part %s, names %s, %d missing, unexpected %v", found.Part, found.Convention, len(found.Missing), found.Unexpected)
		}
	}
}
