package orchestrator

import (
	"path/filepath"
	"strings"
	"testing"

	"t2sda/export"
	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
)

// TestExportWithoutData exports a run whose data are gone: the classes are in
// the checkpoint, only the size must be given.
func TestExportWithoutData(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	root := t.TempDir()
	writeShapes(t, root)
	c := shapesConfig(root, t.TempDir())
	c.Train.EvalEvery = 0
	stopAfter(t, c, " 1/6 ")
	o := ExportOptions{Run: filepath.Join(c.Output, c.Name), Checkpoint: "last", Weights: "teacher", Form: export.Form{Outputs: []string{"labels"}}}
	removeAll(t, root)
	if _, err := Export(t.Context(), e, o); err == nil || !strings.Contains(err.Error(), "unless width and height are given: data.eval: ") {
		t.Errorf("have %v", err)
	}
	o.Width, o.Height = 96, 64
	var warned error
	o.Warn = func(err error) { warned = err }
	x, err := Export(t.Context(), e, o)
	if err != nil || !strings.Contains(string(x.Model), "disc") {
		t.Fatalf("the model does not name its classes (%v)", err)
	}
	if warned == nil || !strings.Contains(warned.Error(), "on drawn pictures, as the run's evaluation images cannot be read: ") {
		t.Errorf("warning %v", warned)
	}
	description, card, err := x.Files("m.onnx")
	if err != nil || !strings.Contains(string(description), `"images": "drawn pictures"`) || !strings.Contains(string(card), "These weights were not scored") {
		t.Errorf("%v, description %s, card %s", err, description, card)
	}
	o.Run = t.TempDir()
	if _, err := Export(t.Context(), e, o); err == nil || !strings.Contains(err.Error(), o.Run+" is no run directory") || !strings.Contains(err.Error(), ConfigFile) {
		t.Errorf("have %v", err)
	}
}

// TestScoresOfASize: a model bears the run's scores where it sees images as the run's evaluation did.
func TestScoresOfASize(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	c := shapesConfig(root, t.TempDir())
	c.Train.Iterations = 3
	out, err := Run(t.Context(), c, quiet())
	if err != nil {
		t.Fatal(err)
	}
	e := enginetest.Open(t, engine.Options{})
	for _, test := range []struct {
		width, height int
		dynamic, want bool
	}{{0, 0, false, true}, {96, 72, false, true}, {64, 64, false, false}, {0, 0, true, true}} {
		x, err := Export(t.Context(), e, ExportOptions{Run: out.Dir, Checkpoint: "last", Weights: Student, Width: test.width, Height: test.height, Form: export.Form{Dynamic: test.dynamic}})
		if err != nil {
			t.Fatal(err)
		}
		description, card, err := x.Files("m.onnx")
		if has := strings.Contains(string(description), `"miou": `); err != nil || has != test.want || strings.Contains(string(card), "Mean IoU ") != test.want {
			t.Errorf("%+v: %s\n%s\n%v", test, description, card, err)
		}
	}
	removeAll(t, root) // the run's own model tells the size as well
	x, err := Export(t.Context(), e, ExportOptions{Run: out.Dir, Checkpoint: "last", Weights: Student, Width: 96, Height: 72})
	if err != nil {
		t.Fatal(err)
	}
	if description, _, err := x.Files("m.onnx"); err != nil || !strings.Contains(string(description), `"miou": `) {
		t.Errorf("without data: %s, %v", description, err)
	}
}
