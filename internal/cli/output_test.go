package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"t2sda/export/exporttest"
	"t2sda/graphs/engine/enginetest"
	"t2sda/internal/raster"
)

// smallSet writes two labelled images and a model for them, and returns the
// folder, the model and the flags that choose both for evaluate.
func smallSet(t *testing.T) (root, model string, evaluate []string) {
	t.Helper()
	s := exporttest.NewSet(t)
	truth := raster.NewLabels(48, 40)
	for i := range truth.Pix {
		truth.Pix[i] = uint8(i % 48 / 10)
	}
	s.Add("a", exporttest.Paint(truth, 40), truth)
	s.Add("b", exporttest.Paint(truth, 40), truth)
	model = exporttest.Foreign{Classes: 5, Step: 40}.File(t)
	return s.Root, model, []string{
		"evaluate", "--model", model, "--dataset", "generic", "--root", s.Root, "--images", "images", "--gt", "labels",
		"--map", filepath.Join(s.Root, "map.yaml"), "--device", "cpu",
	}
}

// TestOutputPlaces writes an evaluation into everything that a flag can name.
func TestOutputPlaces(t *testing.T) {
	enginetest.Isolate(t)
	root, _, evaluate := smallSet(t)
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }

	code, out, errs := call(t, append(evaluate, "--json", "-")...)
	if code != exitOK || !json.Valid([]byte(out)) || !strings.Contains(errs, "mean IoU") {
		t.Errorf("--json -: exit code %d, standard output\n%s\nstandard error\n%s", code, out, errs)
	}
	code, out, errs = call(t, append(evaluate, "--confusion", "-", "--json", at("scores.json"))...)
	if _, err := png.Decode(strings.NewReader(out)); code != exitOK || err != nil || !strings.Contains(errs, "mean IoU") {
		t.Errorf("--confusion -: exit code %d, %v\n%s", code, err, errs)
	}
	if err := unix.Mkfifo(at("fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := make(chan []byte)
	go func() {
		text, _ := os.ReadFile(at("fifo")) // none is not JSON
		got <- text
	}()
	out = succeed(t, append(evaluate, "--json", at("fifo"))...)
	if text := <-got; !json.Valid(text) || !strings.Contains(out, "mean IoU") {
		t.Errorf("the FIFO's reader got %q", text)
	}
	if err := os.Symlink("target.html", at("link")); err != nil {
		t.Fatal(err)
	}
	succeed(t, append(evaluate, "--report", at("link"))...)
	if info, err := os.Lstat(at("link")); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link is none any more (%v)", err)
	}
	if text, err := os.ReadFile(at("target.html")); err != nil || !strings.Contains(string(text), "<html") {
		t.Errorf("the link's target holds no page (%v)", err)
	}
	code, out, errs = call(t, "data", "check", root, "--dataset", "generic", "--images", "images", "--labels", "labels", "--map", root+"/map.yaml", "--sheet", "", "--good", "-")
	if code != exitOK || out != "a\nb\n" || !strings.Contains(errs, "2 images without errors: standard output") {
		t.Errorf("--good -: exit code %d, standard output %q, standard error\n%s", code, out, errs)
	}
	code, out, _ = call(t, "translate", "--engine", "jitter", "--source", root+"/images/a.png", "--out", "-")
	if m, err := png.Decode(strings.NewReader(out)); code != exitOK || err != nil || m.Bounds().Dx() != 48 {
		t.Errorf("translate --out -: exit code %d, %v", code, err)
	}
	code, out, errs = call(t, "translate", "--fit", root+"/images", "--json", "-")
	if code != exitOK || !json.Valid([]byte(out)) || !strings.Contains(errs, "pictures measured") {
		t.Errorf("translate --fit --json -: exit code %d, %s", code, errs)
	}
	if _, err := os.Stat("-"); err == nil {
		t.Error("a file called - was made")
	}
}

// TestStandardOutputByName: what the process writes to has other names, too.
func TestStandardOutputByName(t *testing.T) {
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	link, other := filepath.Join(dir, "link"), filepath.Join(dir, "other")
	if err := os.Symlink("log", link); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{f.Name(): true, link: true, other: false, "-": true} {
		if have := isStdout(f, path); have != want {
			t.Errorf("%s: %v", path, have)
		}
	}
	if isStdout(new(bytes.Buffer), link) {
		t.Error("a buffer has no name")
	}
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	if isStdout(null, os.DevNull) {
		t.Error("with both in the void, what is for people would go to standard error")
	}
}

// TestPlacesAreTriedFirst: a place that takes nothing is told of before anything
// else, what is there stays, and nothing is made.
func TestPlacesAreTriedFirst(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("file", []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	evaluate := []string{"evaluate", "--model", "none.onnx", "--root", "nowhere"}
	check := []string{"data", "check", "nowhere"}
	for _, c := range []struct {
		want string
		code int
		args []string
	}{
		{"--json: cannot write none/x: there is no folder none", exitFailure, append(evaluate, "--json", "none/x")},
		{"--report: cannot write .: . is a folder", exitFailure, append(evaluate, "--report", ".")},
		{"--confusion: cannot write file/x", exitFailure, append(evaluate, "--confusion", "file/x")},
		{"--save-predictions: cannot write into file", exitFailure, append(evaluate, "--save-predictions", "file")},
		{"--save-predictions: want a folder", exitUsage, append(evaluate, "--save-predictions", "-")},
		{"--json and --report would both be written to", exitUsage, append(evaluate, "--json", "x", "--report", "./x")},
		{"--json and --report would both be written to", exitUsage, append(evaluate, "--json", "-", "--report", "-")},
		{"--json: ", exitFailure, append(check, "--json", "none/x")},
		{"--good: ", exitFailure, append(check, "--good", "none/x")},
		{"--sheet: ", exitFailure, append(check, "--sheet", "none/x")},
		{"--cache: ", exitFailure, []string{"data", "stats", "nowhere", "--cache", "file"}},
		{"--out: ", exitFailure, []string{"data", "convert", "nowhere", "--out", "file/x"}},
		{"--out: ", exitFailure, []string{"data", "render", "--out", "file"}},
		{"--out: ", exitFailure, []string{"predict", "--model", "none.onnx", "--out", "file", "nowhere"}},
		{"--out: ", exitFailure, []string{"translate", "--engine", "jitter", "--source", ".", "--out", "file"}},
		{"--out: ", exitFailure, []string{"translate", "--engine", "jitter", "--source", "file", "--out", "file/x/y.png"}},
		{"--json: ", exitFailure, []string{"translate", "--fit", ".", "--json", "none/x"}},
		{"--out: ", exitFailure, []string{"export", "--run", "nowhere", "--out", "none/x.onnx"}},
		{"--width and --height: give both", exitUsage, []string{"export", "--run", "nowhere", "--out", "x.onnx", "--width", "64"}},
		{"file is a file, not a folder: choose another folder by --dir", exitFailure, []string{"runtime", "install", "--dir", "file"}},
		{"folder for results: cannot write into file", exitFailure, []string{"analyze", "--run", "nowhere", "--out", "file", "--device", "cpu"}},
		{"output: cannot write into file", exitFailure, []string{"train", "output=file", "runtime.device=cpu"}},
		{"output: cannot write into file/", exitFailure, []string{"compare", "output=file", "runtime.device=cpu"}},
	} {
		if c.args[0] == "analyze" || c.args[0] == "train" {
			enginetest.Library(t) // the engine is first there
		}
		fail(t, c.code, c.want, c.args...)
	}
	entries, err := os.ReadDir(".")
	if err != nil || len(entries) != 1 {
		t.Errorf("have %v, %v", entries, err)
	}
	if text, err := os.ReadFile("file"); err != nil || string(text) != "old" {
		t.Errorf("the file holds %q, %v", text, err)
	}
}

// TestInterruptBlamesNobody: what was under way when the user stopped it is not
// at fault.
func TestInterruptBlamesNobody(t *testing.T) {
	enginetest.Isolate(t)
	root, model, evaluate := smallSet(t)
	tree := []string{root, "--dataset", "generic", "--images", "images", "--labels", "labels", "--map", root + "/map.yaml"}
	for _, args := range [][]string{
		evaluate,
		append(evaluate, "--keep-going"),
		{"predict", "--model", model, "--labels", root + "/map.yaml", "--device", "cpu", "--out", t.TempDir(), root + "/images"},
		append([]string{"data", "check", "--sheet", ""}, tree...),
		append([]string{"data", "stats"}, tree...),
		append([]string{"data", "convert", "--out", t.TempDir()}, tree...),
		{"data", "render", "--out", t.TempDir(), "--train", "2", "--val", "1"},
		{"translate", "--engine", "jitter", "--source", root + "/images", "--out", t.TempDir()},
		{"translate", "--engine", "camera", "--source", root + "/images", "--target", root + "/images", "--out", t.TempDir()},
		{"translate", "--fit", root + "/images"},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		var out, errs bytes.Buffer
		code := Run(ctx, args, &out, &errs)
		if code != 130 || !strings.HasPrefix(errs.String(), "t2sda: interrupted") || strings.Contains(errs.String(), "canceled") ||
			strings.Contains(errs.String(), root) || strings.Contains(errs.String(), ".png") {
			t.Errorf("%v: exit code %d, %s", args, code, &errs)
		}
	}
}

// TestStatsWithoutHome: where there is no cache, counting is all that is done,
// and a warning tells.
func TestStatsWithoutHome(t *testing.T) {
	root, _, _ := smallSet(t)
	args := []string{"data", "stats", root, "--dataset", "generic", "--images", "images", "--labels", "labels", "--map", root + "/map.yaml"}
	file := filepath.Join(root, "map.yaml")
	for _, env := range []struct{ home, cache, want string }{
		{"", "", "set HOME or XDG_CACHE_HOME"},
		{file, "", "not kept"},
		{"", file, "not kept"},
	} {
		t.Setenv("HOME", env.home)
		t.Setenv("XDG_CACHE_HOME", env.cache)
		code, out, errs := call(t, args...)
		if code != exitOK || strings.Count(errs, "warning") != 1 || !strings.Contains(errs, env.want) || strings.Contains(out, "kept in") {
			t.Errorf("%+v: exit code %d\n%s\n%s", env, code, out, errs)
		}
	}
	succeed(t, append(args, "--cache", filepath.Join(t.TempDir(), "kept"))...)
}
