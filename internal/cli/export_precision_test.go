package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// exportNarrow exports the run of [TestRunAndWhatFollows] with fewer bits. The other commands take
// the models as they take any.
func exportNarrow(t *testing.T, data []string) {
	t.Helper()
	run := []string{"--run", "runs/streets", "--device", "cpu", "--calibrate-images", "3"}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--precision", "fp16", "--dynamic", "--output", "labels,confidence"}, "labels as the float32 model's on "},
		{[]string{"--precision", "int8", "--max-drop", "100"}, "layers in int8"},
		{[]string{"--precision", "int8", "--max-drop", "100", "--int8-for", "gpu", "--calibrate-by", "entropy", "--calibrate", "data/streets/camera/leftImg8bit/train"}, "layers in int8"},
	} {
		out := succeed(t, append(append([]string{"export", "--force", "--out", "narrow.onnx"}, run...), c.args...)...)
		if !strings.HasPrefix(out, "narrow.onnx\n") || !strings.Contains(out, c.want) || !strings.Contains(out, "mIoU ") || !strings.Contains(out, "one run ") {
			t.Errorf("export %v printed\n%s", c.args, out)
		}
		if table := succeed(t, append([]string{"evaluate", "--model", "narrow.onnx"}, data...)...); !strings.Contains(table, "mean IoU") {
			t.Errorf("evaluate printed\n%s", table)
		}
		succeed(t, "verify", "narrow.onnx")
	}
	for _, file := range []string{"narrow.onnx", "narrow.json", "narrow.md"} {
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir("empty", 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		code int
		args []string
		want string
	}{
		{exitUsage, []string{"--precision", "int4"}, `precision "int4" does not exist; there are fp32, fp16 and int8`},
		{exitUsage, []string{"--precision", "int8", "--calibrate-by", "median"}, `calibration method "median" does not exist`},
		{exitUsage, []string{"--precision", "int8", "--int8-for", "tpu"}, `target "tpu" does not exist`},
		{exitUsage, []string{"--precision", "int8", "--calibrate-images", "0"}, "at least one is needed"},
		{exitUsage, []string{"--precision", "int8", "--max-drop", "-1"}, "is negative"},
		{exitUsage, []string{"--precision", "fp16", "--max-drop", "1"}, "--max-drop is for --precision int8"},
		{exitUsage, []string{"--calibrate", "empty"}, "--calibrate and --calibrate-images are for --precision fp16 and int8"},
		{exitFailure, []string{"--precision", "int8", "--calibrate", "empty"}, "empty holds no images"},
		{exitFailure, []string{"--precision", "int8", "--calibrate", "nowhere"}, "nowhere"},
	} {
		fail(t, c.code, c.want, append([]string{"export", "--run", "runs/streets", "--out", "narrow.onnx"}, c.args...)...)
		if left, err := filepath.Glob("narrow.*"); err != nil || left != nil {
			t.Fatalf("export %v failed and left %v (%v)", c.args, left, err)
		}
	}
}
