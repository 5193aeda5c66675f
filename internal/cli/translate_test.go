package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"t2sda/graphs/engine/enginetest"
	"t2sda/graphs/engine/onnxtest"
	"t2sda/internal/shell"
)

// halfModel halves every value.
func halfModel(t *testing.T) string {
	t.Helper()
	return writeModel(t, "half.onnx", onnxtest.New().In("x", 1, -1, 3, -1, -1).Out("y", 1, -1, 3, -1, -1).
		Floats("a", []float32{0.5}, 1).Node("scale", "Mul", "x a", "y"))
}

// meanModel is the mean of an image and a reference image.
func meanModel(t *testing.T) string {
	t.Helper()
	return writeModel(t, "mean.onnx", onnxtest.New().In("content", 1, -1, 3, -1, -1).In("style", 1, -1, 3, -1, -1).Out("y", 1, -1, 3, -1, -1).
		Node("mean", "Mean", "content style", "y"))
}

func writeModel(t *testing.T, name string, m *onnxtest.Model) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, m.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestTranslateFolders makes a data set by every engine and trains on one of
// them by engine folder.
func TestTranslateFolders(t *testing.T) {
	enginetest.Isolate(t)
	t.Chdir(t.TempDir())
	for _, domain := range []string{"game", "camera"} {
		succeed(t, "data", "render", "--out", domain, "--domain", domain, "--train", "3", "--val", "1", "--width", "64", "--height", "32")
	}
	source, target := filepath.Join("game", "leftImg8bit", "train"), filepath.Join("camera", "leftImg8bit", "train")
	model := halfModel(t)
	for engine, more := range map[string][]string{
		"fda":                 {"--band", "0.05", "--seed", "2"},
		"camera":              {"--images", "3"},
		"onnx":                {"--model", model, "--device", "cpu"},
		"{fda: 1, jitter: 1}": nil,
		"none":                {"--size", "32x16"},
		"weather":             {"--weather", "fog,rain", "--severity-min", "2", "--severity-max", "2.5"},
		"cartoon":             nil,
		"adain":               {"--adain", meanModel(t), "--device", "cpu"},
	} {
		args := append([]string{"translate", "--engine", engine, "--source", source, "--target", target, "--out", "out/" + engine}, more...)
		if out := succeed(t, args...); !strings.Contains(out, "3 pictures written to out/"+engine+"; training reads them with translate.engine=folder translate.folder="+shell.Quote("out/"+engine)) {
			t.Errorf("%s printed %q", engine, out)
		}
		fail(t, exitFailure, "3 of the 3 pictures are in out/"+engine+" already", args...)
		if out := succeed(t, append(args, "--resume")...); !strings.Contains(out, "0 pictures written") || !strings.Contains(out, "3 were there") {
			t.Errorf("resuming %s printed %q", engine, out)
		}
	}
	fail(t, exitFailure, `made with --seed "2", not "3"`, "translate", "--source", source, "--target", target, "--out", "out/fda", "--band", "0.05", "--seed", "3", "--resume")
	layout := []string{"translate", "--source", "game", "--source-dataset", "cityscapes", "--source-split", "train", "--target", target, "--out", "layout", "--band", "0.05", "--seed", "2"}
	succeed(t, layout...)
	pictures, err := filepath.Glob("out/fda/*/*.png")
	if err != nil || len(pictures) != 3 {
		t.Fatalf("%v, %v", pictures, err)
	}
	for _, p := range pictures {
		rel, _ := filepath.Rel("out/fda", p)
		if a, b := readPicture(t, p), readPicture(t, filepath.Join("layout", rel)); !slices.Equal(a.Pix, b.Pix) {
			t.Errorf("%s differs when the source is given as a data set", rel)
		}
		original, half := readPicture(t, filepath.Join(source, rel)), readPicture(t, filepath.Join("out/onnx", rel))
		if d := original.Pix[0]/2 - half.Pix[0]; d < -1 || d > 1 {
			t.Errorf("%s: %v by the model, %v before", rel, half.Pix[0], original.Pix[0])
		}
	}
	out := succeed(t, append(withTiny("train", "baseline=false", "data.streets.enabled=false", "data.source.root=game", "data.target.root=camera", "data.eval.root=camera",
		"translate.engine={folder: 1, onnx: 1}", "translate.folder=out/fda", "translate.model="+model), "data.crop.height=32")...)
	if !strings.Contains(out, "2/2") {
		t.Errorf("training printed %q", out)
	}
}

func TestTranslateUsage(t *testing.T) {
	enginetest.Isolate(t)
	dir := t.TempDir()
	succeed(t, "data", "render", "--out", dir, "--domain", "game", "--train", "2", "--val", "1", "--width", "64", "--height", "32")
	source, out := filepath.Join(dir, "leftImg8bit", "train"), filepath.Join(dir, "out")
	base := []string{"translate", "--source", source, "--out", out}
	for _, c := range []struct {
		code int
		want string
		args []string
	}{
		{exitUsage, "needs a target picture", nil},
		{exitUsage, "engine camera needs a target picture", []string{"--engine", "camera"}},
		{exitUsage, `have "gan"`, []string{"--engine", "{gan: 1}"}},
		{exitUsage, "fda: want a weight of 0 or more, have -1", []string{"--engine", "{fda: -1}"}},
		{exitUsage, "as in 1024x512", []string{"--engine", "none", "--size", "big"}},
		{exitUsage, "needs the root of the translated images", []string{"--engine", "folder"}},
		{exitFailure, "needs a model file", []string{"--engine", "onnx"}},
		{exitFailure, `range "0-1" is unknown`, []string{"--engine", "onnx", "--model", halfModel(t), "--range", "0-1"}},
		{exitFailure, "engine adain needs a model file", []string{"--engine", "adain"}},
		{exitFailure, "it takes no reference image", []string{"--engine", "adain", "--adain", halfModel(t)}},
		{exitUsage, `"sleet" is unknown; there are brightness, fog, frost, rain, snow`, []string{"--engine", "weather", "--weather", "sleet"}},
		{exitUsage, "weather.severity_max: 9 is outside of [1, 5]", []string{"--engine", "weather", "--severity-max", "9"}},
		{exitUsage, "--weather is for engine weather, and --engine is cartoon", []string{"--engine", "cartoon", "--weather", "fog"}},
		{exitFailure, "choose another place to write to", []string{"--engine", "none", "--out", source}},
		{exitUsage, "--model is for engine onnx, and --engine is fda", []string{"--target", source, "--model", "m.onnx"}},
		{exitUsage, "--strength is for engine camera", []string{"--engine", "{fda: 1, blur: 1}", "--strength", "0"}},
		{exitUsage, "--json is for --fit", []string{"--engine", "none", "--json", "look.json"}},
		{exitUsage, "none of the others can be", []string{"--engine", "none", "--resume", "--overwrite"}},
	} {
		fail(t, c.code, c.want, append(slices.Clone(base), c.args...)...)
	}
}

// Every flag either shapes the pictures, and is kept beside them, or is known not to.
func TestTranslateSettings(t *testing.T) {
	cmd := translateCommand()
	others := []string{"out", "fit", "json", "workers", "resume", "overwrite", "library", "device", "threads"}
	n := 0
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		n++
		if _, shapes := shaping[f.Name]; shapes == slices.Contains(others, f.Name) {
			t.Errorf("does --%s shape the pictures?", f.Name)
		}
	})
	if n != len(shaping)+len(others) {
		t.Errorf("%d flags, but %d are known", n, len(shaping)+len(others))
	}
	if err := cmd.ParseFlags([]string{"--source", "a", "--folder", "s3://bucket/done", "--seed", "3", "--band", "0.01", "--out", "o", "--engine", "{fda: 1, blur: 2}"}); err != nil {
		t.Fatal(err)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(settings(cmd))
	want := `{"--engine":"{fda: 1, blur: 2}","--folder":"s3://bucket/done","--seed":"3","--source":"` + filepath.Join(here, "a") + `"}`
	if err != nil || string(text) != want {
		t.Errorf("settings %s, %v", text, err)
	}
}

func TestFit(t *testing.T) {
	t.Chdir(t.TempDir())
	succeed(t, "data", "render", "--out", "camera", "--domain", "camera", "--train", "3", "--val", "1", "--width", "64", "--height", "32")
	out := succeed(t, "translate", "--fit", "camera", "--source-dataset", "cityscapes", "--source-split", "train", "--json", "look.json")
	for _, want := range []string{"3 pictures measured, 0 without content", "share of pixels darker", "noise of Y", "cycles per pixel"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	text, err := os.ReadFile("look.json")
	if err != nil {
		t.Fatal(err)
	}
	var look struct{ Images int }
	if err := json.Unmarshal(text, &look); err != nil || look.Images != 3 {
		t.Errorf("%v, %+v", err, look)
	}
	if same := succeed(t, "translate", "--fit", filepath.Join("camera", "leftImg8bit", "train")); same != out {
		t.Error("the folder of the same pictures looks otherwise")
	}
	fail(t, exitFailure, "no such file", "translate", "--fit", "nowhere")
	fail(t, exitFailure, "at least 32×32", "translate", "--fit", "camera", "--source-dataset", "cityscapes", "--size", "16x16")
	fail(t, exitUsage, "is negative", "translate", "--fit", "camera", "--images", "-1")
	for _, given := range []string{"--target=camera", "--engine=camera", "--seed=3", "--resume", "--overwrite", "--weather=fog"} {
		fail(t, exitUsage, "is for translating, and --fit measures only", "translate", "--fit", "camera", given)
	}
	fail(t, exitUsage, "at least one of the flags in the group [source fit] is required", "translate")
	fail(t, exitUsage, "[fit source] were all set", "translate", "--fit", "camera", "--source", "camera", "--out", "o")
}
