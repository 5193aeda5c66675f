package orchestrator

import (
	"path/filepath"
	"strings"
	"testing"

	"t2sda/graphs/engine/enginetest"
)

// TestExportWithoutData exports a run whose data are gone: the classes are in
// the checkpoint, only the size must be given.
func TestExportWithoutData(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	c := shapesConfig(root, t.TempDir())
	c.Train.EvalEvery = 0
	stopAfter(t, c, " 1/6 ")
	o := ExportOptions{Run: filepath.Join(c.Output, c.Name), Checkpoint: "last", Weights: "teacher", Input: "float32", Output: "labels"}
	removeAll(t, root)
	if _, err := Export(t.Context(), o); err == nil || !strings.Contains(err.Error(), "unless width and height are given: data.eval: ") {
		t.Errorf("have %v", err)
	}
	o.Width, o.Height = 96, 64
	if model, err := Export(t.Context(), o); err != nil || !strings.Contains(string(model), "disc") {
		t.Errorf("the model does not name its classes (%v)", err)
	}
	o.Run = t.TempDir()
	if _, err := Export(t.Context(), o); err == nil || !strings.Contains(err.Error(), o.Run+" is no run directory") || !strings.Contains(err.Error(), ConfigFile) {
		t.Errorf("have %v", err)
	}
}
