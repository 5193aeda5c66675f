package orchestrator

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"t2sda/configs"
	"t2sda/export"
	"t2sda/export/predict"
	"t2sda/export/score"
	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
)

// hrdaConfig is [shapesConfig] with two resolutions and masked images.
func hrdaConfig(root, output string) configs.Config {
	c := shapesConfig(root, output)
	c.Method, c.Loss.Mask.Block = "t2s+mask", 16
	c.Model.HRDA = configs.HRDA{Detail: configs.Size{Width: 32, Height: 32}, Weight: 0.1, Attention: 8}
	return c
}

// TestHRDARun trains a network of two resolutions on masked images. Its model sees images
// in windows of the crops' size, from the run's evaluation on, and says so itself.
func TestHRDARun(t *testing.T) {
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	c := hrdaConfig(root, t.TempDir())
	out, err := Run(t.Context(), c, quiet())
	if err != nil {
		t.Fatal(err)
	}
	if out.Agreement < export.MinAgreement {
		t.Errorf("the exported model agrees with the network on %g of the pixels", out.Agreement)
	}
	e := enginetest.Open(t, engine.Options{})
	p, err := predict.Open(e, filepath.Join(out.Dir, modelFile))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if i := p.Inference(); i.WindowWidth != 64 || i.WindowHeight != 64 || i.Overlap != 0.5 || i.Width != 96 || i.Height != 72 {
		t.Errorf("images go through the model as %+v says", i)
	}
	eval, err := openDataset(t.Context(), "data.eval", c.Data.Eval, c, nil, true)
	if err != nil {
		t.Fatal(err)
	}
	again, err := score.Evaluate(t.Context(), p, eval, score.Options{})
	if err != nil || again.MIoU != out.Result.MIoU {
		t.Errorf("the model's file scores %v, the run %v (%v)", again.MIoU, out.Result.MIoU, err)
	}

	exportHRDA(t, e, out.Dir)
}

// TestHRDAResumes: interrupted and resumed, such a run is as if it had not been.
func TestHRDAResumes(t *testing.T) {
	if os.Getenv(longEnv) == "" {
		t.Skip("half a minute: set " + longEnv)
	}
	enginetest.Isolate(t)
	root := t.TempDir()
	writeShapes(t, root)
	c := hrdaConfig(root, t.TempDir())
	whole, _ := train(t, c)
	c.Output = t.TempDir()
	stopAfter(t, c, " 3/6 ")
	o := quiet()
	o.Resume = true
	resumed, err := Run(t.Context(), c, o)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := lossLines(t, whole), lossLines(t, resumed.Dir); !slices.Equal(a, b) {
		t.Errorf("uninterrupted:\n%s\nresumed:\n%s", strings.Join(a, "\n"), strings.Join(b, "\n"))
	}
}

// exportHRDA exports the run: as it is evaluated, at another size, and refuses what would
// be another network.
func exportHRDA(t *testing.T, e *engine.Engine, run string) {
	t.Helper()
	o := ExportOptions{Run: run, Checkpoint: "last", Weights: "teacher"}
	x, err := Export(t.Context(), e, o)
	if err != nil {
		t.Fatal(err)
	}
	if text, _, err := x.Files("m.onnx"); err != nil || !strings.Contains(string(text), `"windows": {`) {
		t.Errorf("description %s, %v", text, err)
	}
	o.Width, o.Height = 64, 64 // as it is by default
	if x, err = Export(t.Context(), e, o); err != nil {
		t.Fatal(err)
	}
	if text, _, err := x.Files("m.onnx"); err != nil || !strings.Contains(string(text), `"windows": {`) {
		t.Errorf("of its own size: description %s, %v", text, err)
	}
	o.Width, o.Height = 96, 72
	if x, err = Export(t.Context(), e, o); err != nil {
		t.Fatal(err)
	}
	if text, _, err := x.Files("m.onnx"); err != nil || strings.Contains(string(text), `"windows"`) {
		t.Errorf("of a model that takes whole images: description %s, %v", text, err)
	}
	for want, change := range map[string]func(o *ExportOptions){
		"export: size: an image of 90×72 pixels: want multiples of 8":                               func(o *ExportOptions) { o.Width = 90 },
		"export: a free size: the details of a network of two resolutions (HRDA) are cut out of an": func(o *ExportOptions) { o.Form.Dynamic = true },
		"export: size 56×72: mit_nano needs at least 58×58 pixels":                                  func(o *ExportOptions) { o.Width = 56 },
	} {
		o := o
		change(&o)
		if _, err := Export(t.Context(), e, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("have %v, want %s", err, want)
		}
	}
}
