package weights_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"t2sda/graphs/nets"
	"t2sda/graphs/weights"
	"t2sda/graphs/weights/fit"
)

// encoders are all of ours; making them takes a while.
var encoders = sync.OnceValue(fit.Encoders)

// encoder returns the tensors of one of our encoders, zeros.
func encoder(t *testing.T, name string) []weights.Tensor {
	t.Helper()
	encoder, stem := fit.Split(name)
	infos, err := fit.Encoder(encoder, stem)
	if err != nil {
		t.Fatal(err)
	}
	var out []weights.Tensor
	for _, i := range infos {
		x := weights.Tensor{Name: i.Name, Shape: i.Shape}
		x.Data = make([]float32, x.Size())
		out = append(out, x)
	}
	return out
}

func file(t *testing.T, tensors []weights.Tensor) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "given.safetensors")
	if err := weights.Save(path, tensors, nil); err != nil {
		t.Fatal(err)
	}
	return path
}

func one(name string, shape ...int) weights.Tensor {
	x := weights.Tensor{Name: name, Shape: shape}
	x.Data = make([]float32, x.Size())
	return x
}

// TestStartRefuses: what is not the encoder's is one error that says what the file
// is and what to do.
func TestStartRefuses(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pth")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	nano := encoder(t, "mit_nano")
	for name, c := range map[string]struct{ path, want string }{
		"width":     {file(t, encoder(t, "mit_b0")), "156 have another shape (backbone.patch_embed1.proj.weight: have [32 3 7 7], want [16 3 7 7], backbone.patch_embed1.proj.bias: have [32], want [16], "},
		"width too": {file(t, encoder(t, "mit_b0")), "The file holds a Mix Transformer of 32·64·160·256 channels and 2·2·2·2 blocks; set model.encoder=mit_b0, or give weights of this encoder (t2sda weights show "},
		"depth":     {file(t, append(slices.Clone(nano), one("backbone.block1.1.norm1.weight", 16))), "of the encoder's tensors 1 are unexpected (backbone.block1.1.norm1.weight)"},
		"part":      {file(t, nano[1:]), "of the encoder's tensors 1 are missing (" + nano[0].Name + ")"},
		"family":    {file(t, []weights.Tensor{one("conv1.weight", 64, 3, 7, 7), one("layer1.0.conv1.weight", 64, 64, 1, 1), one("layer1.0.conv3.weight", 64, 64, 1, 1)}), "156 are missing"},
		"resnet":    {file(t, []weights.Tensor{one("conv1.weight", 64, 3, 7, 7), one("layer1.0.conv1.weight", 64, 64, 1, 1), one("layer1.0.conv3.weight", 64, 64, 1, 1)}), "The file holds a ResNet of 1 bottlenecks with a plain stem (conv1); no encoder here fits it: give weights of this one"},
		"mobilenet": {file(t, encoder(t, "mobilenet_v2")), "The file holds a MobileNetV2; set model.encoder=mobilenet_v2, or give weights of this encoder"},
		"lite":      {file(t, encoder(t, "efficientnet_lite0")), "The file holds an EfficientNet; set model.encoder=efficientnet_lite0, or give weights of this encoder"},
		"stem":      {file(t, encoder(t, "resnet_nano model.stem=plain")), "set model.encoder=resnet_nano model.stem=plain, or give weights"},
		"detector":  {file(t, []weights.Tensor{one("backbone.body.conv1.weight", 1), one("rpn.head.cls_logits.weight", 1)}), "The file holds a detector; no encoder here fits it"},
		"moments":   {file(t, []weights.Tensor{one("m/backbone.norm1.weight", 16)}), "take student.safetensors or teacher.safetensors beside it"},
		"other":     {file(t, []weights.Tensor{one("a", 1), one("b", 1)}), "The file holds a network that is not known here (its tensors: a, b …)"},
		"empty":     {empty, "is empty: 0 bytes long, copy or download it again"},
		"adapters":  {file(t, append(slices.Clone(nano), one("backbone.block1.0.attn.q.lora_A.weight", 2, 16))), "1 are unexpected (backbone.block1.0.attn.q.lora_A.weight). The file holds low-rank adapters beside their weights: train with the run's model.encoder_train=lora"},
		"none":      {filepath.Join(t.TempDir(), "none.pth"), "no such file or directory"},
	} {
		want, err := fit.Encoder("mit_nano", "")
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = weights.Start(c.path, want, weights.IsRequired, encoders)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), c.path) {
			t.Errorf("%s: have %v, want the path and %q", name, err, c.want)
		}
	}
}

// TestStartTakesWhatFits: of a head of another number of classes only what is the same
// is taken.
func TestStartTakesWhatFits(t *testing.T) {
	arch := func(classes int) []weights.Info {
		infos, err := fit.Tensors(nets.Arch{Encoder: "mit_nano", Head: "segformer", Classes: classes, HeadWidth: 8, Std: [3]float32{1, 1, 1}})
		if err != nil {
			t.Fatal(err)
		}
		return infos
	}
	given := network(t, arch(5))
	tensors, found, err := weights.Start(file(t, given), arch(3), weights.IsRequired, encoders)
	if err != nil {
		t.Fatal(err)
	}
	if len(found.Misshapen) != 2 || len(tensors) != len(given)-2 {
		t.Errorf("%d match, %v do not", len(tensors), found.Misshapen)
	}
	for _, x := range tensors {
		i := slices.IndexFunc(given, func(g weights.Tensor) bool { return g.Name == x.Name })
		if strings.HasPrefix(x.Name, "decode_head.linear_pred.") || i < 0 || !slices.Equal(given[i].Data, x.Data) {
			t.Errorf("%s was taken, or changed", x.Name)
		}
	}
}

// TestStartOfAdapters: adapters start from a file without any; where it has them, they
// must be of the network's rank.
func TestStartOfAdapters(t *testing.T) {
	arch := func(rank int) []weights.Info {
		infos, err := fit.Tensors(nets.Arch{
			Encoder: "mit_nano", Head: "deeplabv2", Classes: 5, EncoderTrain: nets.TrainLoRA, LoRARank: rank, LoRAAlpha: 1, Std: [3]float32{1, 1, 1},
		})
		if err != nil {
			t.Fatal(err)
		}
		return infos
	}
	adapters := 2 * 2 * (1 + 2 + 2 + 2) // A and B of q and v of each block
	for name, c := range map[string]struct {
		given  []weights.Tensor
		absent int
	}{
		"plain":    {encoder(t, "mit_nano"), adapters + 4}, // and the head
		"adapters": {network(t, arch(2)), 0},
	} {
		tensors, found, err := weights.Start(file(t, c.given), arch(2), weights.IsRequired, encoders)
		if err != nil || len(found.Missing) != c.absent || len(tensors) != len(arch(2))-c.absent {
			t.Errorf("%s: %d tensors, %v", name, len(tensors), err)
		}
	}
	_, _, err := weights.Start(file(t, network(t, arch(3))), arch(2), weights.IsRequired, encoders)
	if want := "28 have another shape (backbone.block1.0.attn.q.lora_A.weight: have [3 16], want [2 16]"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("adapters of another rank: %v, want %q", err, want)
	}
}

// TestFits: an encoder that is a part of a deeper one does not fit it.
func TestFits(t *testing.T) {
	for _, name := range []string{"mit_nano", "mit_b0", "resnet_nano", "resnet_nano model.stem=plain", "mobilenet_v2", "efficientnet_lite0", "dinov2_nano", "dinov2_vits14_reg"} {
		encoder, stem := fit.Split(name)
		infos, err := fit.Encoder(encoder, stem)
		if err != nil {
			t.Fatal(err)
		}
		f := open(t, network(t, infos))
		if fits := f.Fits(encoders()); !slices.Equal(fits, []string{name}) {
			t.Errorf("%s is taken for %v", name, fits)
		}
		if n, err := f.Encoder(encoders()); err != nil || n.Name != name {
			t.Errorf("%s is %s, %v", name, n.Name, err)
		}
	}
	if _, err := open(t, []weights.Tensor{one("cls_token", 1)}).Encoder(encoders()); err == nil || !strings.Contains(err.Error(), "no encoder here fits it. The file holds a Vision Transformer") {
		t.Errorf("have %v", err)
	}
}
