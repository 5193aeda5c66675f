package cli

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"t2sda/export/score"
)

// exportImported takes the run's weights to another library's names and back: the model that
// is made of them alone scores what the run's does.
func exportImported(t *testing.T, data []string) {
	t.Helper()
	succeed(t, "weights", "export", "--run", "runs/streets", "--names", "hf", "--out", "hf.safetensors")
	all := []string{"--device", "cpu", "--weights", "hf.safetensors", "--dynamic", "--out", "imported.onnx", "model.head_width=16"}
	wantText(t, succeed(t, append([]string{"export"}, all...)...), "imported.onnx", "labels as the training network's on 100.0000 % of ")
	score := func(model string) (r score.Result) {
		succeed(t, append([]string{"evaluate", "--device", "cpu", "--model", model, "--json", "imported.score.json"}, data...)...)
		readJSON(t, "imported.score.json", &r)
		return r
	}
	if run, imported := score("free.onnx"), score("imported.onnx"); run.MIoU != imported.MIoU || !reflect.DeepEqual(run.Confusion, imported.Confusion) {
		t.Errorf("the run's model scores %v, the imported one %v", run.MIoU, imported.MIoU)
	}
	card, err := os.ReadFile("imported.md")
	if err != nil {
		t.Fatal(err)
	}
	wantText(t, string(card), "- weights: imported from hf.safetensors (SHA-256 ", ", names hf", "These weights were not scored")

	photos := "data/streets/camera/leftImg8bit/train"
	narrow := append([]string{"--precision", "int8", "--max-drop", "100", "--calibrate", photos, "--calibrate-images", "3", "--force"}, all...)
	out := succeed(t, append([]string{"export"}, narrow...)...)
	wantText(t, out, "labels as the float32 model's on ", "layers in int8", "one run ")
	if strings.Contains(out, "mIoU") {
		t.Errorf("there are no labels, and mIoU is told:\n%s", out)
	}
	if err := os.Mkdir("one", 0o755); err != nil {
		t.Fatal(err)
	}
	pictures, err := filepath.Glob(photos + "/*/*.png")
	if err != nil || len(pictures) == 0 {
		t.Fatal(pictures, err)
	}
	picture, err := os.ReadFile(pictures[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("one/a.png", picture, 0o600); err != nil {
		t.Fatal(err)
	}

	fail(t, exitFailure, "imported.onnx is there already: --force replaces it", append([]string{"export"}, all...)...)
	for _, c := range []struct {
		code int
		want string
		args []string
	}{
		{exitUsage, "--weights FILE: give --dynamic, or --width and --height", []string{"--weights", "hf.safetensors"}},
		{exitUsage, "--weights student: of which run (--run)?", []string{"--weights", "student", "--dynamic"}},
		{exitUsage, "--checkpoint is for --run", []string{"--weights", "hf.safetensors", "--dynamic", "--checkpoint", "best"}},
		{exitUsage, "--precision int8: --calibrate FOLDER must name images", []string{"--weights", "hf.safetensors", "--dynamic", "--precision", "int8"}},
		{exitFailure, "one: 1 image: one image at least calibrates, and another one is measured on", []string{"--weights", "hf.safetensors", "--dynamic", "--precision", "fp16", "--calibrate", "one", "model.head_width=16"}},
		{exitFailure, "nowhere", []string{"--weights", "hf.safetensors", "--dynamic", "--precision", "fp16", "--calibrate", "nowhere", "model.head_width=16"}},
		{exitUsage, "model.head_width=16: a run has its own configuration", []string{"--run", "runs/streets", "model.head_width=16"}},
		{exitUsage, "--labels is for --weights FILE", []string{"--run", "runs/streets", "--labels", "camvid"}},
		{exitUsage, "at least one of the flags in the group [run weights] is required", []string{"--dynamic"}},
		{exitFailure, "for 11 classes (camvid)", []string{"--weights", "hf.safetensors", "--dynamic", "--labels", "camvid", "model.head_width=16"}},
		{exitFailure, "--labels: ", []string{"--weights", "hf.safetensors", "--dynamic", "--labels", "nowhere"}},
	} {
		fail(t, c.code, c.want, append([]string{"export", "--device", "cpu", "--out", "x.onnx"}, c.args...)...)
	}
}
