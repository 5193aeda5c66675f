package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"image/png"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"testing"

	"t2sda/graphs/engine/enginetest"

	"t2sda/configs"
	"t2sda/graphs/engine"
	"t2sda/internal/raster"
)

// childEnv makes the test binary the program that commands start again.
const childEnv = "T2SDA_TEST_CHILD"

func TestMain(m *testing.M) {
	tries := len(os.Args) > 2 && os.Args[1] == "runtime" // a model, see vet
	if os.Getenv(childEnv) == "" && !tries {
		os.Exit(m.Run())
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(Run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// call runs a command line in process.
func call(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	code = Run(t.Context(), args, &o, &e)
	return code, o.String(), e.String()
}

// succeed runs a command line that must succeed and returns what it prints.
func succeed(t *testing.T, args ...string) string {
	t.Helper()
	code, out, errs := call(t, args...)
	if code != exitOK {
		t.Fatalf("t2sda %s: exit code %d\n%s", strings.Join(args, " "), code, errs)
	}
	return out
}

// tiny makes the embedded run small: two iterations on eight pictures.
var tiny = []string{
	"data.streets.train=6", "data.streets.val=2", "data.crop.width=64", "data.crop.height=64", "data.streets.size.width=128", "data.streets.size.height=64",
	"train.iterations=2", "train.batch=2", "train.eval_every=0", "train.checkpoint_every=0", "model.head_width=16", "model.projector_width=16",
	"loss.pull.queries=8", "loss.pull.negatives=16", "runtime.device=cpu",
}

func withTiny(args ...string) []string { return append(args, tiny...) }

// TestRunAndWhatFollows trains the embedded run and gives its files to the other
// commands.
func TestRunAndWhatFollows(t *testing.T) {
	enginetest.Isolate(t)
	t.Chdir(t.TempDir())

	out := succeed(t, withTiny("train", "baseline=false")...)
	for _, want := range []string{"t2s 2/2 ", "t2s: after 2 iterations target mIoU", "mean IoU", filepath.Join("runs", "streets", "model.onnx")} {
		if !strings.Contains(out, want) {
			t.Errorf("train did not print %q:\n%s", want, out)
		}
	}
	// The run's own file alone resumes it; being complete, it is only shown.
	if again := succeed(t, "train", "--resume", "-c", filepath.Join("runs", "streets", "config.yaml")); strings.Contains(again, "2/2") || !strings.Contains(again, "mean IoU") {
		t.Errorf("resuming a complete run printed\n%s", again)
	}

	data := []string{"--dataset", "cityscapes", "--root", "data/streets/camera", "--split", "val", "--device", "cpu"}
	table := succeed(t, append([]string{"evaluate", "--model", "runs/streets/model.onnx", "--json", "scores.json"}, data...)...)
	if !strings.Contains(table, "sidewalk") || !strings.Contains(table, "mean IoU") {
		t.Errorf("evaluate printed\n%s", table)
	}
	checkScores(t, "scores.json", filepath.Join("runs", "streets", "result.json"))

	for _, weights := range []string{"student", "teacher"} {
		if got := succeed(t, "export", "--run", "runs/streets", "--out", weights+".onnx", "--weights", weights, "--width", "64", "--height", "32", "--input", "uint8-nchw", "--output", "labels"); !strings.HasPrefix(got, weights+".onnx\n") {
			t.Errorf("export printed %q", got)
		}
		succeed(t, append([]string{"evaluate", "--model", weights + ".onnx"}, data...)...)
	}
	checkForms(t, data)
	exportNarrow(t, data)
	exportImported(t, data)
	evaluateInFull(t, data)
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--run", "runs/none"}, "runs/none"},
		{[]string{"--run", "runs/streets", "--checkpoint", "iter_9"}, "iter_9"},
		{[]string{"--run", "runs/streets", "--weights", "both"}, `"both"`},
		{[]string{"--run", "runs/streets", "--output", "heat"}, "heat"},
	} {
		fail(t, exitFailure, c.want, append([]string{"export", "--out", "x.onnx"}, c.args...)...)
	}
	checkAnalysis(t)
	fail(t, exitFailure, "nowhere", "evaluate", "--model", "runs/streets/model.onnx", "--root", "nowhere")
	fail(t, exitFailure, "another configuration", withTiny("train", "--resume", "baseline=false", "seed=2")...)
}

// checkForms exports every output at a free size, and what may go wrong with that.
func checkForms(t *testing.T, data []string) {
	t.Helper()
	all := []string{"export", "--run", "runs/streets", "--out", "free.onnx", "--dynamic", "--opset", "23", "--output", "logits,softmax,labels,confidence,labels_stride"}
	wantText(t, succeed(t, all...), "free.onnx", "labels as the training network's on 100.0000 % of ")
	fail(t, exitFailure, "--out: free.onnx is there already: --force replaces it", all...)
	succeed(t, append(all, "--force")...)
	wantText(t, succeed(t, "verify", "free.onnx"), "whole", "as t2sda wrote it")
	card, err := os.ReadFile("free.md")
	if err != nil {
		t.Fatal(err)
	}
	wantText(t, string(card), "# free.onnx", "| 0 | road |", "Compared with the training network on ", "SHA-256 `")

	for _, name := range []string{"logits", "softmax", "labels", "labels_stride"} {
		succeed(t, append([]string{"evaluate", "--model", "free.onnx", "--output", name}, data...)...)
	}
	fail(t, exitFailure, "of it alone no labels can be made", append([]string{"evaluate", "--model", "free.onnx", "--output", "confidence"}, data...)...)

	model, err := os.ReadFile("free.onnx")
	if err != nil {
		t.Fatal(err)
	}
	model[len(model)/2] ^= 1
	if err := os.WriteFile("free.onnx", model, 0o600); err != nil {
		t.Fatal(err)
	}
	fail(t, exitFailure, "damaged", "verify", "free.onnx")
	for _, c := range []struct {
		want string
		args []string
	}{
		{"opset 16 has no LayerNormalization", []string{"--opset", "16"}},
		{"opset 24: models can be written for 17 to 23", []string{"--opset", "24"}},
		{`output "boxes" does not exist; there are logits, `, []string{"--output", "boxes"}},
		{"output labels is named twice", []string{"--output", "labels,labels"}},
	} {
		fail(t, exitFailure, c.want, append([]string{"export", "--run", "runs/streets", "--out", "bad.onnx"}, c.args...)...)
	}
	fail(t, exitUsage, `input "uint8" does not exist; there are uint8-nhwc, uint8-nchw, float-nchw`, "export", "--run", "runs/streets", "--out", "bad.onnx", "--input", "uint8")
	fail(t, exitUsage, "take bad.onnx", "export", "--run", "runs/streets", "--out", "bad.json")
	for _, name := range []string{"bad.onnx", "bad.json", "bad.md"} {
		if _, err := os.Stat(name); err == nil {
			t.Errorf("a failed export leaves %s", name)
		}
	}
}

// checkScores compares a written result with that of the run.
func checkScores(t *testing.T, scores, run string) {
	t.Helper()
	type result struct {
		MIoU    float64 `json:"miou"`
		Classes []struct {
			Name string `json:"name"`
		} `json:"classes"`
		Confusion struct {
			Rows [][]int `json:"rows"`
		} `json:"confusion"`
	}
	var have result
	var want struct {
		Result result `json:"result"`
	}
	readJSON(t, scores, &have)
	readJSON(t, run, &want)
	if have.MIoU != want.Result.MIoU || len(have.Classes) != 19 || have.Classes[1].Name != "sidewalk" || len(have.Confusion.Rows) != 19 {
		t.Errorf("%s holds %+v, the run %+v", scores, have, want)
	}
}

func readJSON(t *testing.T, path string, to any) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, to); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func TestCompareCommand(t *testing.T) {
	enginetest.Isolate(t)
	t.Setenv(childEnv, "1")
	t.Chdir(t.TempDir())
	line := withTiny("compare", "--methods", configs.SourceOnly, "--seeds", "5,6", "--jobs", "2")
	out := succeed(t, line...)
	if !strings.Contains(out, "mean ± std") || !strings.Contains(out, "seed 5") || !strings.Contains(out, "threads per run: 1") {
		t.Errorf("compare printed\n%s", out)
	}
	commands, err := os.ReadFile(filepath.Join("runs", "streets-compare", "source-only-seed6", "commands.txt"))
	if want := "train --resume -c runs/streets-compare/source-only-seed6/config.yaml\n"; err != nil || !strings.HasSuffix(string(commands), want) {
		t.Errorf("the run keeps the command %q, %v", commands, err)
	}
	fail(t, exitFailure, "row source-only seed 6 failed: ", append(line, "name=other", "train.warmup=0", "train.lr=1e37")...)
	if _, err := os.Stat(filepath.Join("runs", "streets-compare", "compare.md")); err != nil {
		t.Error(err)
	}
}

// TestInterruptedCommand: an interrupt has the shell's exit code.
func TestInterruptedCommand(t *testing.T) {
	enginetest.Isolate(t)
	t.Chdir(t.TempDir())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs bytes.Buffer
	if code := Run(ctx, withTiny("train"), &out, &errs); code != 130 {
		t.Errorf("exit code %d, want %d: %s", code, 130, errs.String())
	}
	if _, err := os.Stat(filepath.Join("runs", "streets")); err == nil {
		t.Error("a run that never trained left its directory")
	}
}

func TestRuntimeInfo(t *testing.T) {
	enginetest.Isolate(t)
	out := succeed(t, "runtime", "info", "--device", "cpu")
	for _, want := range []string{"version    " + engine.Version, "file ", "providers  cpu", "device     cpu"} {
		if !strings.Contains(out, want) {
			t.Errorf("runtime info lacks %q:\n%s", want, out)
		}
	}
	fail(t, exitFailure, "runtime install --cuda", "runtime", "info", "--device", "cuda")
	fail(t, exitFailure, "npm, pip or auto", "runtime", "install", "--method", "curl", "--dir", t.TempDir())
	fail(t, exitFailure, "runtime install", "runtime", "info", "--library", filepath.Join(t.TempDir(), "none.so"))
}

func TestRenderAndTranslate(t *testing.T) {
	dir := t.TempDir()
	out := succeed(t, "data", "render", "--out", dir, "--domain", "game", "--train", "2", "--val", "1", "--width", "64", "--height", "32")
	if !strings.Contains(out, "2 training and 1 validation image of domain game in "+dir) {
		t.Errorf("data render printed %q", out)
	}
	pictures, err := filepath.Glob(filepath.Join(dir, "leftImg8bit", "train", "*", "*.png"))
	if err != nil || len(pictures) != 2 {
		t.Fatalf("rendered %v, %v", pictures, err)
	}
	result := filepath.Join(dir, "out.png")
	succeed(t, "translate", "--source", pictures[0], "--target", pictures[1], "--out", result)
	file, err := os.Open(result)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	img, err := png.Decode(file)
	if err != nil || img.Bounds().Dx() != 64 || img.Bounds().Dy() != 32 {
		t.Errorf("translated to %v, %v", img.Bounds(), err)
	}
	// FDA towards itself is the identity.
	succeed(t, "translate", "--source", pictures[0], "--target", pictures[0], "--out", result, "--band", "0.09")
	if a, b := readPicture(t, pictures[0]), readPicture(t, result); !bytes.Equal(a.NRGBA().Pix, b.NRGBA().Pix) {
		t.Error("FDA towards the picture itself changed it")
	}
	fail(t, exitUsage, "needs a target picture", "translate", "--source", pictures[0], "--out", result)
	fail(t, exitFailure, "none.png", "translate", "--source", "none.png", "--out", result, "--engine", "blur")
	fail(t, exitFailure, "name it .png", "translate", "--source", pictures[0], "--out", "o.jpg", "--engine", "blur")
	fail(t, exitUsage, "gan", "translate", "--source", pictures[0], "--out", result, "--engine", "gan")
	fail(t, exitUsage, "band", "translate", "--source", pictures[0], "--target", pictures[0], "--out", result, "--band", "0.7")
}

func readPicture(t *testing.T, path string) *raster.Image {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	img, err := png.Decode(file)
	if err != nil {
		t.Fatal(err)
	}
	return raster.FromImage(img)
}

// TestConfigCommand: what is printed is a configuration file of equal hash.
func TestConfigCommand(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(path, []byte(succeed(t, "config", "seed=12", "loss.pull.tau=0.3")), 0o644); err != nil {
		t.Fatal(err)
	}
	have, err := configs.Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	want, err := configs.Load("streets", []string{"seed=12", "loss.pull.tau=0.3"})
	if err != nil {
		t.Fatal(err)
	}
	if have.Hash() != want.Hash() || have.Name != want.Name {
		t.Errorf("have %+v, want %+v", have, want)
	}
}

// fail runs a command line that must fail with a code and one line that holds
// the words.
func fail(t *testing.T, code int, words string, args ...string) {
	t.Helper()
	have, _, errs := call(t, args...)
	if have != code || !strings.Contains(errs, words) || !strings.Contains(errs, "t2sda: ") {
		t.Errorf("t2sda %s: exit code %d, want %d and … %s\n%s", strings.Join(args, " "), have, code, words, errs)
	}
}

func TestUsageErrors(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, c := range []struct{ line, want string }{
		{"bogus", `unknown command "bogus"`},
		{"data bogus", `unknown command "bogus" for "t2sda data"`},
		{"runtime bogus", `unknown command "bogus" for "t2sda runtime"`},
		{"train --bogus", "unknown flag: --bogus (see t2sda train --help)"},
		{"train -c nope", `"nope": neither a preset (` + strings.Join(configs.Presets(), ", ") + `) nor a file`},
		{"train seed", "want key=value"},
		{"train bogus=1", "no such key"},
		{"train iterations=1", "did you mean train.iterations?"},
		{"train method=magic", "method: want one of source-only"},
		{"compare --seeds a", "--seeds"},
		{"evaluate --model m.onnx", `required flag(s) "root" not set`},
		{"evaluate --root r", `required flag(s) "model" not set`},
		{"evaluate --model m.onnx --root r extra", `"extra"`},
		{"export --run r", `required flag(s) "out" not set`},
		{"translate --out o.png", "missing [source]"},
		{"data render", `required flag(s) "out" not set`},
		{"data render --out d --domain moon", "want game or camera"},
		{"config bogus=1", "no such key"},
	} {
		fail(t, exitUsage, c.want, strings.Fields(c.line)...)
	}
	if left, err := os.ReadDir("."); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestHelp(t *testing.T) {
	for _, line := range []string{"", "--help", "data", "runtime", "train --help", "--version"} {
		if out := succeed(t, strings.Fields(line)...); !strings.Contains(out, "t2sda") {
			t.Errorf("t2sda %s printed %q", line, out)
		}
	}
}
