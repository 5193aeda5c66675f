package cli

import (
	"context"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"t2sda/datasets"
)

// renderTree renders three training images and one for validation as a
// Cityscapes tree.
func renderTree(t *testing.T) string {
	t.Helper()
	root := filepath.Join(t.TempDir(), "tree")
	succeed(t, "data", "render", "--out", root, "--domain", "camera", "--train", "3", "--val", "1", "--width", "128", "--height", "64")
	return root
}

func wantText(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			t.Errorf("printed no %q:\n%s", p, text)
		}
	}
}

// someFile returns the first file that the pattern below root finds.
func someFile(t *testing.T, root, pattern string) string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(pattern)))
	if err != nil || len(names) == 0 {
		t.Fatalf("no %s in %s: %v", pattern, root, err)
	}
	return names[0]
}

func pngSize(t *testing.T, name string) image.Point {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	img, err := png.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	return img.Bounds().Size()
}

func TestDataCheck(t *testing.T) {
	root := renderTree(t)
	t.Chdir(t.TempDir())
	out := succeed(t, "data", "check", root)
	wantText(t, out, "cityscapes "+root+", split train, label map cityscapes: read in ", ", split val, ", "images       3  8-bit colour PNG",
		"labels       3  8-bit gray PNG", "sizes        3  128×64", "class          % of labelled  images", "contact sheet: data-check.png")
	if size := pngSize(t, "data-check.png"); size.X < 1000 || size.Y < 4*200 {
		t.Errorf("a sheet of %v for four images", size)
	}

	label := someFile(t, root, "gtFine/train/*/*_labelIds.png")
	if err := os.Truncate(label, 90); err != nil {
		t.Fatal(err)
	}
	img := someFile(t, root, "leftImg8bit/val/*/*.png")
	if err := os.Remove(img); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("none.png", img); err != nil {
		t.Skipf("no symbolic links here: %v", err)
	}
	line := []string{"data", "check", root, "--split", "train", "--sheet", "", "--json", "report.json", "--good", "good.txt"}
	code, out, errs := call(t, line...)
	if code != exitFailure || strings.TrimSpace(errs) != "t2sda: data check: a training run would stop: unreadable-label" {
		t.Errorf("exit code %d: %s", code, errs)
	}
	wantText(t, out, "error    1 label cannot be read\n           label "+label+" cannot be decoded", "report: report.json", "2 images without errors: good.txt")
	checkReportFile(t, "report.json")
	// The list of good images is one that configurations read.
	d, err := datasets.Open(datasets.Options{Layout: "cityscapes", Root: root, Split: "train", List: "good.txt", RequireLabels: true})
	if err != nil || d.Len() != 2 {
		t.Errorf("the list: %v", err)
	}

	fail(t, exitFailure, "no images in", "data", "check", root, "--split", "val", "--sheet", "")
	fail(t, exitUsage, "--good writes the names of one split", "data", "check", root, "--good", "good.txt")
	fail(t, exitFailure, "nowhere", "data", "check", "nowhere")
	fail(t, exitFailure, `unknown layout "moon"`, "data", "check", root, "--dataset", "moon")
	fail(t, exitFailure, "there are folders of layout cityscapes", "data", "check", root, "--dataset", "gta5")
}

func checkReportFile(t *testing.T, name string) {
	t.Helper()
	var r struct {
		Stops  bool              `json:"stops"`
		Splits []datasets.Report `json:"splits"`
	}
	readJSON(t, name, &r)
	if !r.Stops || len(r.Splits) != 1 || r.Splits[0].Images != 3 || r.Splits[0].Findings[0].Kind != "unreadable-label" || len(r.Splits[0].Classes) != 19 {
		t.Errorf("%s holds %+v", name, r)
	}
}

// Images without labels, and labels without a map.
func TestDataCheckUnlabelled(t *testing.T) {
	root := renderTree(t)
	t.Chdir(t.TempDir())
	images := "leftImg8bit/{split}"
	out := succeed(t, "data", "check", root, "--dataset", "generic", "--images", images, "--sheet", "a.png")
	wantText(t, out, "warning  no image has a label (looked for * with .png, ", " in "+filepath.Join(root, "labels", "train")+"): of use as a target only")
	if size := pngSize(t, "a.png"); size.Y > 1000 {
		t.Errorf("four images do not stand in two rows: %v", size)
	}
	if err := os.MkdirAll("labels", 0o755); err != nil {
		t.Fatal(err)
	}
	img := someFile(t, root, "leftImg8bit/val/*/*.png")
	text, err := os.ReadFile(someFile(t, root, "gtFine/val/*/*_labelIds.png"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join("labels", filepath.Base(img)), text, 0o644); err != nil {
		t.Fatal(err)
	}
	labels, err := filepath.Abs("labels")
	if err != nil {
		t.Fatal(err)
	}
	out = succeed(t, "data", "check", root, "--dataset", "generic", "--images", filepath.Dir(img), "--labels", labels, "--split", "", "--sheet", "")
	wantText(t, out, "id  pixels %  images", "no label map is given")
}

func TestDataStats(t *testing.T) {
	root := renderTree(t)
	cache := filepath.Join(t.TempDir(), "cache")
	line := []string{"data", "stats", root, "--split", "train", "--cache", cache}
	first := succeed(t, line...)
	wantText(t, first, "split train, label map cityscapes: 3 labels, counted in ", "images/s, kept in "+cache, "class          % of labelled  images  drawn from  RCS %", "void: ", "occurs in none of the 3 label files; rare class sampling leaves it out")
	again := succeed(t, line...)
	wantText(t, again, "known from "+cache)
	if _, a, _ := strings.Cut(first, "\n"); !strings.HasSuffix(again, a) {
		t.Errorf("another table from the cache:\n%s\n%s", first, again)
	}
	if out := succeed(t, append(line, "--temperature", "1")...); strings.HasSuffix(out, again[len(again)-400:]) {
		t.Error("the temperature changes nothing")
	}
	label := someFile(t, root, "gtFine/train/*/*_labelIds.png")
	if err := os.Truncate(label, 90); err != nil {
		t.Fatal(err)
	}
	fail(t, exitFailure, label, line...)
	fail(t, exitFailure, "t2sda data check", line...)
}

func TestDataConvert(t *testing.T) {
	root, out := renderTree(t), filepath.Join(t.TempDir(), "out")
	text := succeed(t, "data", "convert", root, "--out", out)
	wantText(t, text, "split train: 3 labels written below "+out, "split val: 1 label written below "+out, filepath.Join(out, "trainids.yaml"))
	someFile(t, out, "gtFine/train/*/*_gtFine_labelTrainIds.png")
	someFile(t, out, "gtFine/val/*/*_gtFine_labelTrainIds.png")
	fail(t, exitFailure, "the data set's own folder", "data", "convert", root, "--out", root)
	label := someFile(t, root, "gtFine/train/*/*_labelIds.png")
	if err := os.Truncate(label, 90); err != nil {
		t.Fatal(err)
	}
	fail(t, exitFailure, label, "data", "convert", root, "--out", out)
	text = succeed(t, "data", "convert", root, "--out", out, "--keep-going", "--split", "train")
	wantText(t, text, "2 labels written", "1 left out:\n  label "+label+" cannot be decoded")
}

// A split without labels is a target's: it stops neither counting nor
// converting the others, unless it was asked for.
func TestDataOfUnlabelledSplits(t *testing.T) {
	root, cache, out := renderTree(t), t.TempDir(), t.TempDir()
	if err := os.RemoveAll(filepath.Join(root, "gtFine", "train")); err != nil {
		t.Fatal(err)
	}
	for _, line := range [][]string{{"data", "stats", root, "--cache", cache}, {"data", "convert", root, "--out", out}} {
		wantText(t, succeed(t, line...), "split train: left out, it has no labels\n", "split val")
		fail(t, exitFailure, "labels are required, but there is no label folder", append(line, "--split", "train")...)
	}
	if err := os.RemoveAll(filepath.Join(root, "gtFine")); err != nil {
		t.Fatal(err)
	}
	fail(t, exitUsage, "--temperature: -1 is not positive", "data", "stats", root, "--temperature", "-1")
	fail(t, exitUsage, "--min-pixels: -5 is negative", "data", "stats", root, "--min-pixels", "-5")
	fail(t, exitFailure, "labels are required, but there is no label folder", "data", "stats", root, "--cache", cache)
}

func TestDataInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, line := range [][]string{{"check", "--sheet", ""}, {"stats", "--cache", t.TempDir()}, {"convert", "--out", t.TempDir()}} {
		var out, errs strings.Builder
		code := Run(ctx, append([]string{"data", line[0], renderTree(t)}, line[1:]...), &out, &errs)
		if code != 130 || errs.String() != "t2sda: interrupted\n" {
			t.Errorf("%s: exit code %d, %q", line[0], code, errs.String())
		}
	}
}

func TestDataConvertKeepsGoing(t *testing.T) {
	root, out := renderTree(t), t.TempDir()
	img := someFile(t, root, "leftImg8bit/val/*/*.png")
	label := someFile(t, root, "gtFine/val/*/*_labelIds.png")
	spare := strings.TrimSuffix(label, "_gtFine_labelIds.png") + "0_gtFine_labelIds.png"
	for old, name := range map[string]string{label: spare, img: img + "0.png"} {
		data, err := os.ReadFile(old)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	fail(t, exitFailure, spare+" has no image", "data", "convert", root, "--out", out)
	text := succeed(t, "data", "convert", root, "--out", out, "--keep-going")
	wantText(t, text, "split val: 1 label written", "1 left out:\n  label "+spare+" has no image")
}

func TestDataUsage(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, c := range []struct{ line, want string }{
		{"data check", "accepts 1 arg(s), received 0"},
		{"data stats a b", "accepts 1 arg(s), received 2"},
		{"data convert a", `required flag(s) "out" not set`},
	} {
		fail(t, exitUsage, c.want, strings.Fields(c.line)...)
	}
}
