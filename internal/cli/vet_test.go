package cli

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"t2sda/export"
	"t2sda/export/exporttest"
	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
	"t2sda/graphs/engine/onnxtest"
	"t2sda/internal/raster"
)

// A model over which ONNX Runtime aborts is refused by its name, and the program
// lives; one that it refuses is left to the opening.
func TestVet(t *testing.T) {
	enginetest.Isolate(t)
	dir := t.TempDir()
	write := func(name string, model []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, model, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	picture, labels := filepath.Join(dir, "a.png"), write("map.yaml", []byte(exporttest.FiveMap))
	if err := raster.WritePNG(picture, raster.NewImage(8, 8).NRGBA()); err != nil {
		t.Fatal(err)
	}
	transpose := func(perm ...int) []byte {
		return onnxtest.New().In("x", 1, 1, 8, 16, 3).Out("y", 1, 1, 8, 16, 5).
			Node("planar", "Transpose", "x", "planar", "perm", perm).
			Floats("w", make([]float32, 15), 5, 3, 1, 1).Node("conv", "Conv", "planar w", "scores").Node("last", "Transpose", "scores", "y", "perm", []int{0, 2, 3, 1}).Bytes()
	}
	predict := func(model string) []string {
		return []string{"predict", "--device", "cpu", "--model", model, "--labels", labels, "--out", filepath.Join(dir, "out"), picture}
	}
	bad := write("bad.onnx", transpose(0, 3, 1))
	fail(t, exitFailure, "open model "+bad+": ONNX Runtime aborts over this model, which is malformed or damaged", predict(bad)...)
	fail(t, exitFailure, "aborts over this model", "translate", "--engine", "onnx", "--model", bad, "--device", "cpu", "--source", picture, "--out", filepath.Join(dir, "t"))

	good := write("good.onnx", transpose(0, 3, 1, 2))
	wantText(t, succeed(t, predict(good)...), "1 picture in")
	fail(t, exitFailure, "unknown.onnx: ONNX Runtime does not accept the model", predict(write("unknown.onnx", onnxtest.New().In("x", 1, 1, 3, 8, 8).Out("y", 1, 1, 5, 8, 8).Node("n", "Nothing", "x", "y").Bytes()))...)

	// Sizes that nothing has memory for: of the input, and of what is made inside.
	fail(t, exitFailure, "wide.onnx: input \"x\": 60000×60000 pixels are more than the", predict(write("wide.onnx", onnxtest.New().In("x", 1, 1, 3, 60000, 60000).Out("y", 1, 1, 5, 60000, 60000).
		Floats("w", make([]float32, 15), 5, 3, 1, 1).Node("conv", "Conv", "x w", "y").Bytes()))...)
	fail(t, exitFailure, "open model "+filepath.Join(dir, "swollen.onnx")+": one run of this model, as a trial, needs more memory than this machine has", predict(write("swollen.onnx", onnxtest.New().In("x", 1, 1, 3, 8, 16).Out("y", 1, 1, 5, 8, 16).
		Floats("w", make([]float32, 15), 5, 3, 1, 1).Floats("r", make([]float32, 8), 8).Floats("s", []float32{1, 1, 50000, 50000}, 4).Floats("t", []float32{1, 1, 0.00002, 0.00002}, 4).
		Node("conv", "Conv", "x w", "small").Node("swell", "Resize", "small r s", "large").Node("shrink", "Resize", "large r t", "y").Bytes()))...)

	// What was tried once is known, and what this program made needs no trial.
	tries := 0
	for _, model := range [][]byte{transpose(0, 3, 1, 2), own(t), transpose(0, 3, 2, 1)} {
		if _, err := os.Stat(knownModel(model, "cpu")); err != nil && !export.Intact(model) {
			tries++
		}
	}
	if tries != 1 {
		t.Errorf("%d of three models are to be tried, want the last one only", tries)
	}
	if err := vet(newRoot(), engine.Options{})(filepath.Join(dir, "nowhere.onnx"), own(t), "cpu"); err != nil {
		t.Error(err)
	}
}

// own is a model of this program.
func own(t *testing.T) []byte {
	t.Helper()
	o := exporttest.NanoOptions("segformer")
	model, err := export.Build(o, exporttest.RandomWeights(t, o.Arch))
	if err != nil {
		t.Fatal(err)
	}
	return model
}

func TestLastWords(t *testing.T) {
	ended := errors.New("signal: killed")
	for text, want := range map[string]string{
		"":       "signal: killed",
		"\n \n":  "signal: killed",
		"a\nb\n": `"b"`,
		"vector: Assertion failed.\nSIGABRT: abort\nPC=0x7 m=3\n\ngoroutine 1\n": `"vector: Assertion failed."`,
		"SIGSEGV: segmentation violation\n":                                      "signal: killed",
		strings.Repeat("x", 500):                                                 `"…` + strings.Repeat("x", 400) + `"`,
	} {
		if got := lastWords(text, ended); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}
