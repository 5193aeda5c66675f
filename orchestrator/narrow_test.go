package orchestrator

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"t2sda/export"
	"t2sda/export/quantize"
	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
	"t2sda/internal/sha256sum"
)

// TestNarrow exports a run whose evaluation images have lost their labels: models of fewer bits are
// then measured by whether they say what the float32 one says.
func TestNarrow(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	c := shapesConfig(root, t.TempDir())
	c.Train.EvalEvery = 0
	stopAfter(t, c, " 1/6 ")
	dir := filepath.Join(c.Output, c.Name)
	e := enginetest.Open(t, engine.Options{})
	x, err := Export(t.Context(), e, ExportOptions{Run: dir, Checkpoint: "last", Weights: "student", Width: 96, Height: 64})
	if err != nil {
		t.Fatal(err)
	}
	model := x.Model
	n, err := OpenNetwork(dir, "last", "student")
	if err != nil {
		t.Fatal(err)
	}
	removeAll(t, filepath.Join(root, "eval", "labels"))
	o := PrecisionOptions{Precision: INT8, Images: 2, Options: quantize.Options{By: quantize.MinMax, For: quantize.CPU, MaxDrop: 100}}
	r, err := Narrow(t.Context(), e, n, model, o, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !math.IsNaN(r.Before) || r.Images != 4 || r.Agreement.Pixels != 4*96*64 || math.Abs(r.Int8.Drop-100*(1-r.Agreement.Share())) > 1e-9 {
		t.Errorf("%d images, mIoU %v, agreement %+v, drop %v", r.Images, r.Before, r.Agreement, r.Int8.Drop)
	}
	if text := strings.Join(r.Lines(o), "\n"); strings.Contains(text, "mIoU") || !strings.Contains(text, "of pixels of 4 images that it was measured on") {
		t.Errorf("it says\n%s", text)
	}
	if !export.Intact(r.Model) || !bytes.Contains(r.Model, []byte("minmax on 2 images, for cpu")) || !bytes.Contains(r.Model, []byte("class_names")) {
		t.Error("the model lacks its digest, its calibration or its classes")
	}
	x.Narrow(r, o)
	description, card, err := x.Files("m.onnx")
	if err != nil || !strings.Contains(string(description), sha256sum.Of(r.Model)) || !strings.Contains(string(description), `"calibration": "minmax on 2 images, for cpu"`) || !strings.Contains(string(card), "This one is int8, made of it, and gives its labels on ") {
		t.Errorf("beside it lies (%v)\n%s\n%s", err, description, card)
	}
	again, err := Narrow(t.Context(), e, n, model, o, nil)
	if err != nil || !bytes.Equal(again.Model, r.Model) {
		t.Errorf("a second time the model is another one (%v)", err)
	}
	if err := os.RemoveAll(filepath.Join(root, "target")); err != nil {
		t.Fatal(err)
	}
	if _, err := Narrow(t.Context(), e, n, model, o, nil); err == nil || !strings.Contains(err.Error(), "calibration images: data.target: ") || !strings.Contains(err.Error(), "a folder of images may be named instead") {
		t.Errorf("without target images: %v", err)
	}
}
