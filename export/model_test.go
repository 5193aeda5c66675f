package export_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"t2sda/export"
	"t2sda/graphs/engine/enginetest"

	"github.com/google/go-cmp/cmp"

	"t2sda/datasets"
	"t2sda/export/exporttest"
	"t2sda/export/predict"
	"t2sda/graphs"
	"t2sda/graphs/engine"
	"t2sda/graphs/nets"
	"t2sda/internal/raster"
)

func TestVerifyAgainstTrainingNetwork(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	for _, head := range nets.Heads() {
		t.Run(head, func(t *testing.T) {
			o := exporttest.NanoOptions(head)
			weights := exporttest.RandomWeights(t, o.Arch)
			images := exporttest.RandomImages(rand.New(rand.NewPCG(5, 5)), 3, o.Width, o.Height)
			a, err := export.Verify(t.Context(), e, o, weights, images)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d of %d labels equal", a.Equal, a.Pixels)
			if err := a.Err(); err != nil || a.Pixels != 3*64*32 {
				t.Errorf("%+v: %v", a, err)
			}
		})
	}
}

// TestVerifyFixedEncoders: encoders that are adapted or frozen, and a Vision Transformer on an
// image that its patches do not divide.
func TestVerifyFixedEncoders(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	for _, c := range []struct{ encoder, way string }{
		{"dinov2_nano", nets.TrainAll}, {"dinov2_nano", nets.TrainLoRA}, {"mit_nano", nets.TrainLoRA}, {"resnet_nano", nets.TrainFrozen},
	} {
		t.Run(c.encoder+"/"+c.way, func(t *testing.T) {
			o := fixedOptions(c.encoder, c.way)
			weights := exporttest.RandomWeights(t, o.Arch)
			images := exporttest.RandomImages(rand.New(rand.NewPCG(5, 5)), 3, o.Width, o.Height)
			a, err := export.Verify(t.Context(), e, o, weights, images)
			if err != nil {
				t.Fatal(err)
			}
			if err := a.Err(); err != nil {
				t.Errorf("%+v: %v", a, err)
			}
		})
	}
}

func fixedOptions(encoder, way string) export.ModelOptions {
	o := exporttest.NanoOptions("segformer")
	o.Arch.Encoder, o.Arch.EncoderTrain = encoder, way
	if way == nets.TrainLoRA {
		o.Arch.LoRARank, o.Arch.LoRAAlpha = 4, 8
	}
	return o
}

// TestAdaptersLeaveNoTrace: the model of adapted weights is, byte by byte, that of a network which
// was trained whole to the weights with the adapters in them.
func TestAdaptersLeaveNoTrace(t *testing.T) {
	for _, encoder := range []string{"dinov2_nano", "mit_nano"} {
		o := fixedOptions(encoder, nets.TrainLoRA)
		weights := exporttest.RandomWeights(t, o.Arch)
		adapted, err := export.Build(o, weights)
		if err != nil {
			t.Fatal(err)
		}
		plain := o
		var merged func(string) ([]float32, error)
		if plain.Arch, merged, err = o.Arch.Deployed(weights); err != nil {
			t.Fatal(err)
		}
		whole, err := export.Build(plain, merged)
		if err != nil {
			t.Fatal(err)
		}
		without, err := export.Build(plain, weights)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(adapted, whole) || len(adapted) != len(without) || slices.Equal(adapted, without) {
			t.Errorf("%s: models of %d, %d and %d bytes", encoder, len(adapted), len(whole), len(without))
		}
	}
}

// TestVerifyNoticesWrongExport exports with a normalisation that the network was
// not trained with.
func TestVerifyNoticesWrongExport(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	o := exporttest.NanoOptions("segformer")
	weights := exporttest.RandomWeights(t, o.Arch)
	images := exporttest.RandomImages(rand.New(rand.NewPCG(5, 5)), 2, o.Width, o.Height)
	references, _, err := export.RunTrained(t.Context(), e, o, weights, images)
	if err != nil {
		t.Fatal(err)
	}
	varied := slices.ContainsFunc(references[0].Pix, func(id uint8) bool { return id != references[0].Pix[0] })
	if !varied {
		t.Fatal("the network predicts a single class, so agreement means nothing")
	}
	o.Arch.Mean, o.Arch.Std = [3]float32{}, [3]float32{1, 1, 1}
	a, err := export.Compare(t.Context(), exporttest.Predictor(t, e, o, weights), images, references)
	if err != nil {
		t.Fatal(err)
	}
	if a.Err() == nil {
		t.Errorf("a model without normalisation agrees at %d of %d pixels", a.Equal, a.Pixels)
	}
}

// TestInputsAndOutputsAgree runs all four kinds of model on one image; labels at
// the model's size and at another one.
func TestInputsAndOutputsAgree(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	o := exporttest.NanoOptions("segformer")
	weights := exporttest.RandomWeights(t, o.Arch)
	img := exporttest.RandomImages(rand.New(rand.NewPCG(6, 6)), 1, o.Width, o.Height)[0]
	var reference *raster.Labels
	for _, input := range []string{predict.InputFloat32, predict.InputUint8} {
		for _, output := range []string{predict.OutputLogits, predict.OutputLabels} {
			o.Input, o.Outputs = input, []string{output}
			p := exporttest.Predictor(t, e, o, weights)
			labels, err := p.Predict(t.Context(), img)
			if err != nil {
				t.Fatal(err)
			}
			if reference == nil {
				reference = labels
			}
			var a export.Agreement
			if err := a.Add(reference, labels); err != nil {
				t.Fatal(err)
			}
			if err := a.Err(); err != nil {
				t.Errorf("%s → %s: %v", input, output, err)
			}
			large, err := p.PredictAt(t.Context(), img, 128, 64)
			if err != nil {
				t.Fatal(err)
			}
			if large.W != 128 || large.H != 64 || large.Pix[0] != labels.Pix[0] {
				t.Errorf("%s → %s: labels of %d×%d pixels, corner %d, want 128×64, %d", input, output, large.W, large.H, large.Pix[0], labels.Pix[0])
			}
		}
	}
}

func TestModelMetadata(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	o := exporttest.NanoOptions("segformer")
	p := exporttest.Predictor(t, e, o, exporttest.RandomWeights(t, o.Arch))
	if diff := cmp.Diff(export.MetadataOf(o), p.Metadata()); diff != "" {
		t.Error(diff)
	}
	props, err := p.Metadata().Encode()
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{
		"class_names": `["road","sidewalk","building","wall","fence"]`, "palette": `[[128,64,128],[244,35,232],[70,70,70],[102,102,156],[190,153,153]]`,
		"mean": "[0,0,0]", "std": "[1,1,1]", "normalization_inside": `{"mean":[123.675,116.28,103.53],"std":[58.395,57.12,57.375]}`, "crop": "[64,32]", "config_hash": "cafe", "miou": "0.25", "t2sda_version": "1.2.3",
	} {
		if props[key] != want {
			t.Errorf("metadata %s is %s, want %s", key, props[key], want)
		}
	}

	// Files from before normalization_inside say it in mean and std.
	delete(props, "normalization_inside")
	props["mean"], props["std"] = "[123.675,116.28,103.53]", "[58.395,57.12,57.375]"
	older, err := predict.ParseMetadata(props)
	if diff := cmp.Diff(export.MetadataOf(o), older); err != nil || diff != "" {
		t.Error(err, diff)
	}
}

func TestBuildErrors(t *testing.T) {
	weights := exporttest.RandomWeights(t, exporttest.NanoOptions("segformer").Arch)
	tests := []struct {
		name   string
		change func(o *export.ModelOptions)
		want   string
	}{
		{"class count", func(o *export.ModelOptions) { o.Space = datasets.Cityscapes19() }, `"cityscapes" has 19, the network has 5`},
		{"size", func(o *export.ModelOptions) { o.Height = 8 }, "size 64×8: mit_nano needs at least"},
		{"input", func(o *export.ModelOptions) { o.Input = "float16" }, `input "float16" is neither float32 nor uint8`},
		{"output", func(o *export.ModelOptions) { o.Outputs = []string{"boxes"} }, `output "boxes" does not exist; there are logits, logits_stride, softmax`},
		{"encoder", func(o *export.ModelOptions) { o.Arch.Encoder = "vgg" }, `encoder "vgg" does not exist`},
		{"weights", func(o *export.ModelOptions) { o.Arch.HeadWidth = 24 }, "decode_head."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := exporttest.NanoOptions("segformer")
			tt.change(&o)
			_, err := export.Build(o, weights)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
		})
	}
}

// foreign marshals a graph with the given metadata.
func foreign(t *testing.T, meta map[string]string, build func(g *graphs.Graph)) []byte {
	t.Helper()
	g, err := graphs.Build("foreign", func(g *graphs.Graph) {
		build(g)
		for k, v := range meta {
			g.SetMetadata(k, v)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	model, err := g.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return model
}

func TestOpenPredictorErrors(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	props, err := exporttest.NanoPredictor(t).Metadata().Encode()
	if err != nil {
		t.Fatal(err)
	}
	with := func(key, value string) map[string]string {
		m := map[string]string{}
		for k, v := range props {
			m[k] = v
		}
		m[key] = value
		return m
	}
	conv := func(classes int, dims ...int) func(g *graphs.Graph) {
		return func(g *graphs.Graph) {
			x := g.Input("image", graphs.Float32, dims...)
			w := g.Floats(make([]float32, classes*3), classes, 3, 1, 1)
			g.Output("logits", g.Conv(x, w, nil, graphs.ConvAttrs{}))
		}
	}
	rank3 := func(g *graphs.Graph) {
		g.Output("logits", g.Relu(g.Input("image", graphs.Float32, 3, 32, 64)))
	}
	two := func(g *graphs.Graph) {
		g.Output("logits", g.Add(g.Input("image", graphs.Float32, 1, 3, 32, 64), g.Input("mask", graphs.Float32, 1)))
	}
	tests := []struct {
		name  string
		model []byte
		want  string
	}{
		{"no ONNX", []byte("\x89PNG this is no model"), "not an ONNX model"},
		{"empty", nil, "the model is empty"},
		{"foreign", foreign(t, nil, conv(5, 1, 3, 32, 64)), "it was not exported by t2sda (no metadata), so a label map must say"},
		{"rank", foreign(t, props, rank3), `output "logits" has logits of shape [3,32,64]: 3 classes, but five has 5`},
		{"size", foreign(t, props, conv(5, 1, 3, 16, 64)), "want [1,3,32,64] by its metadata"},
		{"two inputs", foreign(t, props, two), "it has 2 inputs"},
		{"classes", foreign(t, props, conv(4, 1, 3, 32, 64)), "logits of shape [1,4,32,64]: 4 classes, but five has 5"},
		{"output", foreign(t, with("output", `{"name":"scores","kind":"logits"}`), conv(5, 1, 3, 32, 64)), `no output "scores"`},
		{"kind", foreign(t, with("output", `{"name":"logits","kind":"boxes"}`), conv(5, 1, 3, 32, 64)), `kind "boxes"`},
		{"labels", foreign(t, with("output", `{"name":"logits","kind":"labels"}`), conv(5, 1, 3, 32, 64)), "holds float32 of shape [1,5,32,64], want labels"},
		{"palette", foreign(t, with("palette", `[[1,2,3]]`), conv(5, 1, 3, 32, 64)), "palette has 1 colours for 5"},
		{"broken JSON", foreign(t, with("class_names", `["road`), conv(5, 1, 3, 32, 64)), "model metadata: class_names is"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "broken.onnx")
			if err := os.WriteFile(path, tt.model, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := predict.Open(e, path)
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("error %v, want %q and the file's name", err, tt.want)
			}
		})
	}
	if _, err := predict.Open(e, filepath.Join(t.TempDir(), "missing.onnx")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
}

func TestPredictErrors(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	o := exporttest.NanoOptions("segformer")
	weights := exporttest.RandomWeights(t, o.Arch)
	p := exporttest.Predictor(t, e, o, weights)
	if _, err := p.Predict(t.Context(), &raster.Image{}); err == nil || !strings.Contains(err.Error(), "image of 0×0 pixels") {
		t.Errorf("empty image: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Predict(ctx, raster.NewImage(3, 2)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	one, err := p.Predict(t.Context(), raster.NewImage(1, 1)) // resized, so fine
	if err != nil || len(one.Pix) != 1 {
		t.Errorf("1×1 image: %v, %v", one, err)
	}
	broken := exporttest.Predictor(t, e, o, func(name string) ([]float32, error) {
		w, err := weights(name)
		if strings.HasSuffix(name, "running_mean") {
			w = slices.Clone(w)
			for i := range w {
				w[i] = float32(math.NaN())
			}
		}
		return w, err
	})
	if _, err := broken.Predict(t.Context(), raster.NewImage(64, 32)); err == nil || !strings.Contains(err.Error(), "logits are not finite: NaN") {
		t.Errorf("NaN weights: %v", err)
	}
}
