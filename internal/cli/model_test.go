package cli

import (
	"image"
	"image/color"
	"path/filepath"
	"strings"
	"testing"

	"t2sda/export/exporttest"
	"t2sda/export/score"
	"t2sda/graphs/engine/enginetest"
	"t2sda/internal/raster"
)

// stripes is a truth of the first classes, w × h pixels.
func stripes(w, h, classes int) *raster.Labels {
	l := raster.NewLabels(w, h)
	for i := range l.Pix {
		l.Pix[i] = uint8(i % w * classes / w)
	}
	return l
}

// What models of other programs may take and give is said by flags.
func TestModelKinds(t *testing.T) {
	enginetest.Isolate(t)
	two := exporttest.NewSet(t)
	two.File("map.yaml", []byte("classes:\n  - {name: road, ids: [0]}\n  - {name: sidewalk, ids: [1]}\nignore: [255]\n"))
	truth := stripes(30, 20, 2)
	two.Add("a", exporttest.Paint(truth, 40), truth)
	evaluate := func(model string, more ...string) []string {
		return append([]string{"evaluate", "--model", model, "--dataset", "generic", "--root", two.Root, "--map", filepath.Join(two.Root, "map.yaml"), "--device", "cpu", "--json", filepath.Join(two.Root, "r.json")}, more...)
	}
	sigmoid := exporttest.Foreign{Step: 40, Single: true, Sigmoid: true, Half: true, Multiple: 32}.File(t)
	wantText(t, succeed(t, evaluate(sigmoid, "--threshold", "0.5")...), "mean IoU        100.00")
	wantText(t, succeed(t, evaluate(sigmoid, "--threshold", "0.5", "--divisor", "32")...), "mean IoU        100.00")
	var r score.Result
	readJSON(t, filepath.Join(two.Root, "r.json"), &r)
	if r.Inference.Divisor != 32 {
		t.Errorf("inference %+v", r.Inference)
	}
	fail(t, exitFailure, "needs --threshold (0.5 or 0)", evaluate(sigmoid)...)

	code, _, errs := call(t, evaluate(sigmoid, "--threshold", "0", "--mean", "0.485,0.456,0.406", "--std", "0.229,0.224,0.225")...)
	if code != exitOK {
		t.Fatal(errs)
	}
	wantText(t, errs, "t2sda: warning: mean [0.485 0.456 0.406] is for values of 0–1, but they are 0–255: scale 1?", "warning: std [0.229")
	if code, _, errs = call(t, evaluate(sigmoid, "--threshold", "0.5")...); code != exitOK || strings.Contains(errs, "warning") {
		t.Errorf("exit code %d, %s", code, errs)
	}

	predict := []string{"predict", "--model", sigmoid, "--labels", filepath.Join(two.Root, "map.yaml"), "--threshold", "0.5", "--out", t.TempDir(), "--format", "labelids", filepath.Join(two.Root, "images")}
	fail(t, exitFailure, `format labelids: label map cityscapes has other classes than the model ("map"): name the one whose ids are wanted (--map)`, predict...)
	wantText(t, succeed(t, append(predict, "--map", filepath.Join(two.Root, "map.yaml"))...), "1 picture in")
}

// Labels of half the image's size are scored, reported and written at that size.
func TestEvaluateSmallLabels(t *testing.T) {
	enginetest.Isolate(t)
	s, out := exporttest.NewSet(t), t.TempDir()
	s.Add("a", exporttest.Paint(stripes(40, 20, 5), 40), nil)
	s.PNG("labels/a.png", stripes(20, 10, 5).Gray())
	model := exporttest.Foreign{Classes: 5, Step: 40}.File(t)
	text := succeed(t, "evaluate", "--model", model, "--dataset", "generic", "--root", s.Root, "--map", filepath.Join(s.Root, "map.yaml"), "--device", "cpu",
		"--report", filepath.Join(out, "r.html"), "--save-predictions", out)
	wantText(t, text, "mean IoU        100.00")
	if size := pngSize(t, filepath.Join(out, "trainids", "a.png")); size != image.Pt(20, 10) {
		t.Errorf("prediction of %v", size)
	}
}

// Shares are of the labelled pixels in both tables: here two thirds and one third
// of three quarters.
func TestSharesAgree(t *testing.T) {
	s := exporttest.NewSet(t)
	labels := image.NewGray(image.Rect(0, 0, 128, 128))
	for i := range labels.Pix {
		labels.Pix[i] = []uint8{0, 0, 1, 255}[i%4]
	}
	s.Add("a", raster.NewImage(128, 128), nil)
	s.PNG("labels/a.png", labels)
	if labels.GrayAt(3, 0) != (color.Gray{Y: 255}) {
		t.Fatal("no void")
	}
	args := []string{"--dataset", "generic", "--map", filepath.Join(s.Root, "map.yaml"), s.Root}
	check := succeed(t, append([]string{"data", "check", "--sheet", ""}, args...)...)
	stats := succeed(t, append([]string{"data", "stats", "--cache", t.TempDir()}, args...)...)
	for _, text := range []string{check, stats} {
		wantText(t, text, "% of labelled", "road              66.67", "sidewalk          33.33", "void: 25.00 % of all pixels")
	}
}
