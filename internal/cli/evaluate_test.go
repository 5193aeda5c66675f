package cli

import (
	"errors"
	"image"
	"os"
	"path/filepath"
	"testing"

	"t2sda/export/exporttest"
	"t2sda/export/score"
	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
	"t2sda/internal/raster"
)

// evaluateInFull evaluates the run's model with everything that can be written,
// and predicts single files.
func evaluateInFull(t *testing.T, data []string) {
	t.Helper()
	model := []string{"--model", "runs/streets/model.onnx", "--flip", "--window", "128x64"}
	out := succeed(t, append(append([]string{"evaluate", "--json", "full.json", "--confusion", "matrix.png", "--report", "page.html", "--save-predictions", "seen"}, model...), data...)...)
	wantText(t, out, "mean IoU, synthia-16", "mean IoU, synthia-13", "mean category IoU", "construction", "2 images in ")
	var r score.Result
	readJSON(t, "full.json", &r)
	if !r.Inference.Flip || r.Inference.Window != [2]int{128, 64} || r.Inference.Overlap != 0.25 || len(r.Worst) != 2 || len(r.Categories) != 7 {
		t.Errorf("full.json: %+v", r.Inference)
	}
	page, err := os.ReadFile("page.html")
	if err != nil {
		t.Fatal(err)
	}
	wantText(t, string(page), "model.onnx on cityscapes data/streets/camera, split val", "windows of 128×64 that overlap by 25 %", "Worst images first", "mean, synthia-16")
	if size := pngSize(t, "matrix.png"); size.X < 500 || size.Y < 500 {
		t.Errorf("matrix.png has %v pixels", size)
	}
	for _, name := range []string{"overlay", "color", "trainids", "labelids"} {
		if size := pngSize(t, someFile(t, "seen", name+"/*/*_pred_*.png")); size != image.Pt(128, 64) {
			t.Errorf("%s has %v pixels", name, size)
		}
	}
	images := "data/streets/camera/leftImg8bit/val"
	out = succeed(t, "predict", "--model", "runs/streets/model.onnx", "--out", "looks", "--format", "labelids", "--device", "cpu", images)
	wantText(t, out, "2 pictures in looks")
	someFile(t, "looks", "*/*_leftImg8bit.png")
}

// TestEvaluateForeign scores a model of another program by its flags.
func TestEvaluateForeign(t *testing.T) {
	enginetest.Isolate(t)
	s := exporttest.NewSet(t)
	truth := raster.NewLabels(24, 16)
	for i := range truth.Pix {
		truth.Pix[i] = uint8(i % 24 / 5)
	}
	s.Add("a", exporttest.Paint(truth, 40), truth)
	s.Add("b", exporttest.Paint(truth, 40), truth)
	model := exporttest.Foreign{Classes: 5, Step: 40, NHWC: true, BGR: true, Scale: 1, Mean: 0.5, Std: 0.25, Spare: true, Labels: engine.Int64}.File(t)
	args := []string{"evaluate", "--model", model, "--dataset", "generic", "--root", s.Root, "--images", "images", "--gt", "labels", "--map", filepath.Join(s.Root, "map.yaml"), "--device", "cpu"}
	form := []string{"--layout", "nhwc", "--bgr", "--scale", "1", "--mean", "0.5,0.5,0.5", "--std", "0.25,0.25,0.25", "--output", "y"}
	wantText(t, succeed(t, append(args, form...)...), "mean IoU        100.00", "pixel accuracy            100.00", "2 images in")
	out := succeed(t, append([]string{"predict", "--model", model, "--labels", filepath.Join(s.Root, "map.yaml"), "--format", "trainids", "--out", t.TempDir()}, append(form, s.Root+"/images")...)...)
	wantText(t, out, "2 pictures in")

	saved := t.TempDir()
	if err := errors.Join(os.Mkdir(filepath.Join(saved, "trainids"), 0o755), os.Symlink(filepath.Join(s.Root, "labels", "a.png"), filepath.Join(saved, "trainids", "a.png"))); err != nil {
		t.Fatal(err)
	}
	fail(t, exitFailure, filepath.Join("labels", "a.png")+", which is read: choose another folder", append(append(args, "--save-predictions", saved, "--formats", "trainids"), form...)...)

	s.File("images/b.png", []byte("broken"))
	fail(t, exitFailure, "b.png cannot be decoded", append(args, form...)...)
	out = succeed(t, append(append(args, "--keep-going"), form...)...)
	wantText(t, out, "1 image in", "1 left out because of errors", "b.png cannot be decoded")
	s.File("images/a.png", []byte("broken, too"))
	fail(t, exitFailure, ": no image can be scored, the first: ", append(append(args, "--keep-going"), form...)...)
	s.PNG("images/a.png", exporttest.Paint(truth, 40).NRGBA())
	code, out, errs := call(t, append([]string{"predict", "--model", model, "--labels", filepath.Join(s.Root, "map.yaml"), "--keep-going", "--out", t.TempDir()}, append(form, s.Root+"/images")...)...)
	if code != exitPassed {
		t.Errorf("exit code %d", code)
	}
	wantText(t, out, "1 picture in", "1 image left out:", "b.png cannot be decoded")
	wantText(t, errs, "t2sda: passed over 1 image, predicted 1")
	if err := os.Remove(filepath.Join(s.Root, "images", "b.png")); err != nil {
		t.Fatal(err)
	}
	fail(t, exitFailure, "labels/b.png has no image", append(args, form...)...)
	if err := os.Remove(filepath.Join(s.Root, "labels", "b.png")); err != nil {
		t.Fatal(err)
	}

	predict := []string{"predict", "--model", model, "--out", t.TempDir(), s.Root}
	for _, c := range []struct {
		code int
		want string
		args []string
	}{
		{exitFailure, "it has 2 outputs: name the one to use (y int64", args},
		{exitUsage, `--size "64": want width and height`, append(args, "--size", "64")},
		{exitUsage, `--window "0x4": want width and height`, append(args, "--window", "0x4")},
		{exitFailure, "an overlap without windows", append(args, "--output", "y", "--overlap", "0.5")},
		{exitUsage, "--formats is for --save-predictions", append(append(args, form...), "--formats", "color")},
		{exitFailure, `format "heat" is none of`, append(append(args, form...), "--save-predictions", t.TempDir(), "--formats", "heat")},
		{exitUsage, "none of the others can be", append(args, "--rgb", "--bgr")},
		{exitFailure, "unknown label map", append(args, "--labels", "nowhere")},
		{exitFailure, "a label map must say what the classes of its output are (--labels)", append(predict, "--output", "y")},
		{exitUsage, "--map is for --format labelids, rle, panoptic only", append(predict, "--map", "gta5")},
		{exitFailure, "format labelids: label map gta5 has other classes than the model", append(append(predict, form...), "--format", "labelids", "--map", "gta5", "--labels", filepath.Join(s.Root, "map.yaml"))},
	} {
		fail(t, c.code, c.want, c.args...)
	}
}
