package predict_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"t2sda/export"
	"t2sda/export/exporttest"
	"t2sda/export/predict"
	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
)

// TestWindowsOfMetadata: a model that says that it sees windows is predicted in them, as
// if the caller had asked for it, who may ask for something else.
func TestWindowsOfMetadata(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	o := exporttest.NanoOptions("segformer")
	weights := exporttest.RandomWeights(t, o.Arch)
	plain := exporttest.Predictor(t, e, o, weights)
	o.Windows = predict.Windows{Width: 2 * o.Width, Height: o.Height, Overlap: 0.5}
	p := exporttest.Predictor(t, e, o, weights)
	if i := p.Inference(); i.Width != 2*o.Width || i.Height != o.Height || i.WindowWidth != o.Width || i.WindowHeight != o.Height || i.Overlap != 0.5 || p.SingleRun() {
		t.Errorf("images go through the model as %+v says", i)
	}
	img := exporttest.RandomImages(rand.New(rand.NewPCG(1, 2)), 1, 2*o.Width, o.Height)[0]
	have, err := p.Predict(t.Context(), img)
	if err != nil {
		t.Fatal(err)
	}
	squeezed, err := plain.Predict(t.Context(), img)
	if err != nil || slices.Equal(have.Pix, squeezed.Pix) {
		t.Errorf("windows make no difference (%v)", err)
	}
	in, err := p.Feed(img)
	if err != nil || len(in) != 1 || !slices.Equal(in["image"].Shape(), []int{1, 3, o.Height, o.Width}) {
		t.Fatalf("a run is fed %v, %v", in, err)
	}
	middle := img.Crop(o.Width/2, 0, o.Width, o.Height)
	if !slices.Equal(in["image"].Floats(), middle.Pix) {
		t.Error("a run is fed another part than the middle window")
	}
}

// TestWindowsApart: whoever says that windows do not overlap is not asked for those of the model.
func TestWindowsApart(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	o := exporttest.NanoOptions("segformer")
	o.Windows = predict.Windows{Width: 2 * o.Width, Height: o.Height, Overlap: 0.5}
	model, err := export.Build(o, exporttest.RandomWeights(t, o.Arch))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "model.onnx")
	if err := os.WriteFile(path, model, 0o600); err != nil {
		t.Fatal(err)
	}
	p := exporttest.Open(t, e, path, predict.Options{Inference: predict.Inference{Apart: true}})
	if i := p.Inference(); i.WindowWidth != o.Width || i.Overlap != 0 {
		t.Errorf("images go through the model as %+v says", i)
	}
	for want, infer := range map[string]predict.Inference{
		"overlap 0.2 of windows that are to lie apart": {Apart: true, Overlap: 0.2},
	} {
		if _, err := predict.OpenWith(e, path, predict.Options{Inference: infer}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("have %v, want %s", err, want)
		}
	}
}

// TestBadWindows: what metadata may not say.
func TestBadWindows(t *testing.T) {
	props, err := exporttest.NanoPredictor(t).Metadata().Encode()
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		`{"width":-1,"height":32,"overlap":0.5}`:         "windows of an image of -1×32 pixels with an overlap of 0.5: want positive sizes",
		`{"width":64,"height":32,"overlap":1}`:           "an overlap of 1: want positive sizes, and a share from 0 to 0.9",
		`{"width":1000000,"height":1000000,"overlap":0}`: "model metadata: windows: 1000000×1000000 pixels are more than",
		`[]`: "model metadata: windows is ",
	} {
		props["windows"] = text
		if _, err := predict.ParseMetadata(props); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: have %v, want %s", text, err, want)
		}
	}
}
