package export_test

import (
	"bytes"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"t2sda/export"
	"t2sda/export/exporttest"
	"t2sda/export/predict"
	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
	"t2sda/graphs/nets"
	"t2sda/internal/raster"
)

// formsOf is a dynamic model of every output.
func formsOf(encoder, head string) export.ModelOptions {
	o := exporttest.NanoOptions(head)
	o.Arch.Encoder = encoder
	o.Arch.Mean, o.Arch.Std = nets.Input(encoder)
	o.Dynamic, o.Input, o.Layout = true, predict.InputUint8, predict.NHWC
	return o
}

// settledWeights are random ones whose running statistics are those of pictures: otherwise signals
// of deep networks are lost or limited, and roundings decide labels.
func settledWeights(t *testing.T, e *engine.Engine, o export.ModelOptions) func(string) ([]float32, error) {
	t.Helper()
	weights := exporttest.RandomWeights(t, o.Arch)
	o.Width, o.Height = 160, 96
	_, statistics, err := export.RunTrained(t.Context(), e, o, weights, imagesOf([][2]int{{160, 96}, {160, 96}}))
	if err != nil {
		t.Fatal(err)
	}
	return func(name string) ([]float32, error) {
		if s, ok := statistics[name]; ok {
			return s, nil
		}
		return weights(name)
	}
}

// smallEncoders has one encoder of each kind.
var smallEncoders = []string{"dinov2_nano", "efficientnet_lite0", "mit_nano", "mobilenet_v2", "resnet_nano"}

// sizes are five that a stride divides or not, wide and high; the last is DINOv2's own grid.
var sizes = [][2]int{{64, 32}, {97, 61}, {45, 131}, {131, 33}, {224, 224}}

func imagesOf(sizes [][2]int) []*raster.Image {
	r := rand.New(rand.NewPCG(7, 7))
	var all []*raster.Image
	for _, s := range sizes {
		all = append(all, exporttest.RandomImages(r, 1, s[0], s[1])...)
	}
	return all
}

// TestDynamic: a model of free size gives, at five sizes, the labels of the training network of
// that size.
func TestDynamic(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	images := imagesOf(sizes)
	for i, encoder := range smallEncoders {
		for j, head := range nets.Heads() {
			if os.Getenv(longEnv) != "1" && i != j && encoder != "mit_nano" {
				continue // each encoder and each head once, which is quick
			}
			o := formsOf(encoder, head)
			weights := settledWeights(t, e, o)
			model, err := export.Finish(t.Context(), e, o, weights)
			if err != nil {
				t.Fatal(encoder, head, err)
			}
			refs, err := export.References(t.Context(), e, o.Arch, weights, images)
			if err != nil {
				t.Fatal(encoder, head, err)
			}
			all, err := export.Check(t.Context(), e, model, refs)
			if err != nil {
				t.Fatal(encoder, head, err)
			}
			if err := export.Worst(all).Reach(export.MinExact); err != nil {
				t.Errorf("%s, %s: %v", encoder, head, err)
			}
			if bytes.Contains(model, []byte("com.microsoft")) {
				t.Errorf("%s, %s: operators of ONNX Runtime's own", encoder, head)
			}
			if labels, err := predict.Argmax(refs[0].Logits, refs[0].Shape, 64, 32); err != nil || !slices.ContainsFunc(labels.Pix, func(id uint8) bool { return id != labels.Pix[0] }) {
				t.Errorf("%s, %s: a single class is predicted (%v), so agreement means nothing", encoder, head, err)
			}
		}
	}
}

// TestNothingOfTheExample: a graph of free sizes is the same whatever it was built for.
func TestNothingOfTheExample(t *testing.T) {
	for _, encoder := range slices.Concat(smallEncoders, []string{"dinov2_vits14_reg"}) {
		for _, head := range nets.Heads() {
			o := formsOf(encoder, head)
			o.Outputs = predict.Outputs()
			weights := exporttest.RandomWeights(t, o.Arch)
			one, err := export.BuildFor(o, weights, 2, 366, 275)
			if err != nil {
				t.Fatal(encoder, head, err)
			}
			other, err := export.BuildFor(o, weights, 3, 431, 523)
			if err != nil {
				t.Fatal(encoder, head, err)
			}
			if !bytes.Equal(one, other) {
				t.Errorf("%s, %s: the models for two examples differ", encoder, head)
			}
		}
	}
}

// TestForms: every input and output, fixed and free, in the oldest and the newest version.
func TestForms(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	images := imagesOf(sizes[:1])
	for _, input := range []struct {
		dtype, layout string
		outside       bool
	}{
		{predict.InputUint8, predict.NHWC, false},
		{predict.InputUint8, predict.NCHW, false},
		{predict.InputFloat32, predict.NCHW, true},
		{predict.InputFloat32, predict.NHWC, false},
	} {
		for _, dynamic := range []bool{false, true} {
			for _, opset := range []int{17, 18, 23} {
				o := formsOf("mit_nano", "lraspp")
				o.Input, o.Layout, o.Outside, o.Dynamic, o.Opset = input.dtype, input.layout, input.outside, dynamic, opset
				o.Outputs = predict.Outputs()
				weights := exporttest.RandomWeights(t, o.Arch)
				model, err := export.Finish(t.Context(), e, o, weights)
				if err != nil {
					t.Fatal(input, dynamic, opset, err)
				}
				refs, err := export.References(t.Context(), e, o.Arch, weights, images)
				if err != nil {
					t.Fatal(err)
				}
				all, err := export.Check(t.Context(), e, model, refs)
				if err != nil {
					t.Fatal(input, dynamic, opset, err)
				}
				if err := export.Worst(all).Reach(export.MinExact); err != nil || len(all) != 10 {
					t.Errorf("%v, %v, opset %d: %v", input, dynamic, opset, err)
				}
			}
		}
	}
}

// TestOldOpset names the operator that is too young.
func TestOldOpset(t *testing.T) {
	for opset, want := range map[int]string{
		16: "opset 16 has no LayerNormalization (node encoder.stage1/LayerNormalization_0), which came with opset 17", 24: "opset 24: models can be written for 17 to 23",
	} {
		o := formsOf("mit_nano", "segformer")
		o.Opset = opset
		if _, err := export.Build(o, exporttest.RandomWeights(t, o.Arch)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}

// TestBatch: images of a batch do not see each other, and one that is smaller than the network
// takes is continued by its last row and column, and the outputs are cut back.
func TestBatch(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	for _, encoder := range []string{"mit_nano", "dinov2_nano", "efficientnet_lite0"} {
		o := formsOf(encoder, "segformer")
		o.Outputs = []string{predict.OutputLabels, predict.OutputLogits + predict.StrideSuffix}
		model, err := export.Finish(t.Context(), e, o, settledWeights(t, e, o))
		if err != nil {
			t.Fatal(err)
		}
		s, err := e.NewSession("batch", model)
		if err != nil {
			t.Fatal(err)
		}
		run := func(h, w int, images ...*raster.Image) map[string]*engine.Tensor {
			var pix []uint8
			for _, img := range images {
				pix = append(pix, img.RGB()...)
			}
			in, err := engine.NewTensor(pix, len(images), h, w, 3)
			if err != nil {
				t.Fatal(err)
			}
			out, err := s.Run(t.Context(), map[string]*engine.Tensor{"image": in})
			if err != nil {
				t.Fatal(err)
			}
			return out
		}
		labels := func(out map[string]*engine.Tensor) []uint8 {
			ids, err := engine.Data[uint8](out[predict.OutputLabels])
			if err != nil {
				t.Fatal(err)
			}
			return ids
		}
		two := imagesOf([][2]int{{75, 53}, {75, 53}})
		both := labels(run(53, 75, two...))
		apart := slices.Concat(labels(run(53, 75, two[0])), labels(run(53, 75, two[1])))
		var a export.Agreement
		if err := a.Add(&raster.Labels{W: 75, H: 106, Pix: apart}, &raster.Labels{W: 75, H: 106, Pix: both}); err != nil || a.Reach(export.MinExact) != nil {
			t.Errorf("%s: a batch agrees with its images on %v: %v", encoder, a, err)
		}
		small := two[0].Crop(0, 0, 9, 5)
		out := run(5, 9, small)
		large := raster.NewImage(40, 40)
		for c := range 3 {
			for i := range large.Plane(c) {
				large.Plane(c)[i] = small.Plane(c)[min(i/40, 4)*9+min(i%40, 8)]
			}
		}
		least, err := o.Arch.MinSize()
		if err != nil {
			t.Fatal(err)
		}
		h, w := max(5, least), max(9, least)
		want := labels(run(h, w, large.Crop(0, 0, w, h)))
		for i, id := range labels(out) {
			if x, y := i%9, i/9; id != want[y*w+x] {
				t.Fatalf("%s: pixel %d, %d of a small image is %d, that of the continued one %d", encoder, x, y, id, want[y*w+x])
			}
		}
		if d := out["logits_stride"].Shape(); d[2] < 1 || d[3] < 1 || d[2] > 5 || d[3] > 9 {
			t.Errorf("%s: logits of shape %v", encoder, d)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestCheckNoticesWrongModel: a model that normalises otherwise does not pass.
func TestCheckNoticesWrongModel(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	o := formsOf("mit_nano", "segformer")
	o.Outputs = predict.Outputs()
	weights := exporttest.RandomWeights(t, o.Arch)
	refs, err := export.References(t.Context(), e, o.Arch, weights, imagesOf(sizes[:2]))
	if err != nil {
		t.Fatal(err)
	}
	o.Arch.Mean, o.Arch.Std = [3]float32{}, [3]float32{1, 1, 1}
	model, err := export.Finish(t.Context(), e, o, weights)
	if err != nil {
		t.Fatal(err)
	}
	all, err := export.Check(t.Context(), e, model, refs)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		if c.Reach(export.MinExact) == nil {
			t.Errorf("output %s of a model without normalisation agrees at %d of %d pixels", c.Output, c.Equal, c.Pixels)
		}
	}
}
