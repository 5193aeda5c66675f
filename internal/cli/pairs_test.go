package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"t2sda/export/exporttest"
	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
	"t2sda/internal/raster"
)

func TestDataLayouts(t *testing.T) {
	out := succeed(t, "data", "layouts")
	wantText(t, out, "acdc: ", "idd-lite: ", "rgb_anon/*/{split}", "*_gt_labelTrainIds, read by map cityscapes-trainids", "└── gt/")
	if out = succeed(t, "data", "layouts", "camvid"); strings.Contains(out, "acdc") {
		t.Error(out)
	}
	fail(t, exitUsage, `unknown layout "moon"`, "data", "layouts", "moon")
}

// The split that is scored is named; where none is and there is no val, nothing
// is chosen in silence. Labels are left out of a prediction.
func TestSplitsAndSuffixes(t *testing.T) {
	enginetest.Isolate(t)
	s := exporttest.NewSet(t)
	truth := raster.NewLabels(24, 16)
	for i := range truth.Pix {
		truth.Pix[i] = uint8(i % 24 / 5)
	}
	s.Add("a", exporttest.Paint(truth, 40), truth)
	s.File("images/b.heic", nil)
	model := exporttest.Foreign{Classes: 5, Step: 40, NHWC: true, BGR: true, Scale: 1, Mean: 0.5, Std: 0.25, Spare: true, Labels: engine.Int64}.File(t)
	form := []string{"--model", model, "--device", "cpu", "--layout", "nhwc", "--bgr", "--scale", "1", "--mean", "0.5,0.5,0.5", "--std", "0.25,0.25,0.25", "--output", "y"}
	move := func(from, to string) {
		t.Helper()
		to = filepath.Join(s.Root, to)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(s.Root, from), to); err != nil {
			t.Fatal(err)
		}
	}
	move("images/a.png", "images/test/a_rgb.png")
	move("images/b.heic", "images/test/b.heic")
	move("labels/a.png", "labels/test/a_ids.png")
	suffixes := []string{"--image-suffix", "_rgb", "--label-suffix", "_ids"}
	evaluate := append(append([]string{"evaluate", "--dataset", "generic", "--root", s.Root, "--map", filepath.Join(s.Root, "map.yaml")}, form...), suffixes...)

	fail(t, exitUsage, "--split: none is named, and generic "+s.Root+" has no val, valid or validation (there is test)", evaluate...)
	code, out, errs := call(t, append(evaluate, "--split", "test")...)
	if code != exitOK {
		t.Fatal(errs)
	}
	wantText(t, out, "generic "+s.Root+", split test\n", "mean IoU        100.00")
	wantText(t, errs, "1 file is passed over", "b.heic")
	move("images/test", "images/valid")
	move("labels/test", "labels/valid")
	wantText(t, succeed(t, evaluate...), "generic "+s.Root+", split valid\n")

	predict := append([]string{"predict", "--force", "--labels", filepath.Join(s.Root, "map.yaml"), "--out", t.TempDir(), s.Root}, form...)
	_, out, errs = call(t, predict...)
	wantText(t, out, "2 pictures in")
	wantText(t, errs, "2 files are passed over, by name no image that is read: b.heic, map.yaml", "holds a data set; --dataset generic")
	wantText(t, succeed(t, append(predict, "--dataset", "generic")...), "1 picture in")
	wantText(t, succeed(t, append(predict, "--exclude", "*_ids*")...), "1 picture in")
	fail(t, exitUsage, "--split is for --dataset", append(predict, "--split", "valid")...)
	fail(t, exitUsage, "--dataset: want one argument", append(predict, "--dataset", "generic", "again")...)
}

// Labels that lie among the images are left out by their suffix; a data set whose
// labels would be taken for pictures is told of.
func TestLabelSuffix(t *testing.T) {
	enginetest.Isolate(t)
	s := exporttest.NewSet(t)
	grey := raster.NewImage(24, 16)
	s.PNG("images/a_rgb.png", grey.NRGBA())
	s.PNG("images/a_ids.png", grey.NRGBA())
	model := exporttest.Foreign{Classes: 5, Step: 40}.File(t)
	predict := []string{"predict", "--force", "--model", model, "--device", "cpu", "--labels", filepath.Join(s.Root, "map.yaml"), "--dataset", "generic", "--out", t.TempDir(), s.Root}
	wantText(t, succeed(t, predict...), "2 pictures in")
	wantText(t, succeed(t, append(predict, "--images", "images", "--label-suffix", "_ids")...), "1 picture in")

	folder := filepath.Join(s.Root, "images")
	translate := func(source string, more ...string) []string {
		return append([]string{"translate", "--source", source, "--target", filepath.Join(folder, "a_rgb.png"), "--out", t.TempDir()}, more...)
	}
	wantText(t, succeed(t, translate(folder)...), "2 pictures written")
	wantText(t, succeed(t, translate(folder, "--source-label-suffix", "_ids")...), "1 picture written")
	s.PNG("labels/a_rgb.png", grey.NRGBA())
	_, _, errs := call(t, translate(s.Root)...)
	wantText(t, errs, s.Root+" holds a data set; --source-dataset generic or ", "leaves its label files out")
}

// What --good writes, --list reads.
func TestGoodListIsRead(t *testing.T) {
	root := renderTree(t)
	t.Chdir(t.TempDir())
	line := []string{"data", "check", root, "--split", "train", "--sheet", "", "--good"}
	succeed(t, append(line, "a.txt")...)
	wantText(t, succeed(t, append(line, "b.txt", "--list", "a.txt")...), "3 images without errors: b.txt")
	a, err := os.ReadFile("a.txt")
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile("b.txt"); err != nil || string(a) != string(b) {
		t.Errorf("%q, then %q: %v", a, b, err)
	}
}
