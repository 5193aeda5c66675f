package orchestrator

import (
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/zap"

	"t2sda/configs"
	"t2sda/datasets"
	"t2sda/export/score"
	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
	"t2sda/internal/raster"
	"t2sda/internal/rng"
	"t2sda/orchestrator/learner"
)

// train runs c's training alone, without export and report, and returns its
// directory and the last evaluation.
func train(t testing.TB, c configs.Config) (dir string, last *score.Result) {
	t.Helper()
	dir = t.TempDir()
	e, err := openEngine(c)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	d, err := openData(t.Context(), c, "", e, t.TempDir(), zap.NewNop(), nil)
	if err != nil {
		t.Fatal(err)
	}
	trained, err := newTrainer(c, dir, quiet(), e, d)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(trained.run(t.Context()), trained.close(), d.close()); err != nil {
		t.Fatal(err)
	}
	return dir, trained.scored
}

// openTrainer builds c's trainer, which the test's end closes.
func openTrainer(t *testing.T, c configs.Config) *trainer {
	t.Helper()
	e, err := openEngine(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	d, err := openData(t.Context(), c, "", e, t.TempDir(), zap.NewNop(), nil)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := newTrainer(c, t.TempDir(), quiet(), e, d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(opened.close(), d.close()); err != nil {
			t.Error(err)
		}
	})
	return opened
}

// openLearner makes c's learner for the shapes, which the test's end closes.
func openLearner(t testing.TB, c configs.Config) *learner.Learner {
	t.Helper()
	space := datasets.Space{Name: "shapes", Classes: []datasets.Class{{Name: "ground"}, {Name: "box"}, {Name: "disc"}}}
	l, err := learner.New(enginetest.Open(t, engine.Options{}), learner.Options{Config: c, Space: space, Log: zap.NewNop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

const shapesMap = `classes:
  - {name: ground, color: [80, 80, 80], ids: [0]}
  - {name: box, color: [220, 40, 40], ids: [1]}
  - {name: disc, color: [40, 200, 60], ids: [2]}
ignore: [255]
`

// writeShapes makes a small labelled data set of two domains under root:
// boxes and discs on a ground, bright and saturated in "source", dim and bluish
// in "target". The first target folder has no labels.
func writeShapes(t testing.TB, root string) {
	t.Helper()
	for _, d := range []struct {
		name     string
		labelled bool
		tint     [3]float32
	}{{"source", true, [3]float32{1, 1, 1}}, {"target", false, [3]float32{0.4, 0.5, 0.8}}, {"eval", true, [3]float32{0.4, 0.5, 0.8}}} {
		for i := range 4 {
			img, labels := shapes(i, d.name, d.tint)
			writePNG(t, filepath.Join(root, d.name, "images", fmt.Sprintf("%d.png", i)), img.NRGBA())
			if d.labelled {
				writePNG(t, filepath.Join(root, d.name, "labels", fmt.Sprintf("%d.png", i)), labels.Gray())
			}
		}
	}
	writeFile(t, filepath.Join(root, "map.yaml"), shapesMap)
}

func shapes(i int, domain string, tint [3]float32) (*raster.Image, *raster.Labels) {
	const w, h = 96, 72
	r := rng.New(1, i, domain)
	img, labels := raster.NewImage(w, h), raster.NewLabels(w, h)
	bx, by, cx, cy := r.IntN(w/2), r.IntN(h/2), w/2+r.IntN(w/2), h/2+r.IntN(h/2)
	colours := [3][3]float32{{90, 90, 90}, {220, 60, 50}, {60, 200, 70}}
	for y := range h {
		for x := range w {
			class := uint8(0)
			switch {
			case x >= bx && x < bx+30 && y >= by && y < by+24:
				class = 1
			case (x-cx)*(x-cx)+(y-cy)*(y-cy) < 250:
				class = 2
			}
			labels.Pix[y*w+x] = class
			for c := range 3 {
				img.Plane(c)[y*w+x] = tint[c]*colours[class][c] + float32(10*r.NormFloat64())
			}
		}
	}
	return img, labels
}

func writePNG(t testing.TB, path string, m image.Image) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(png.Encode(f, m), f.Close()); err != nil {
		t.Fatal(err)
	}
}

func writeFile(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// shapesConfig is a complete T2S run over writeShapes(root), small enough for a
// test: a second per few iterations.
func shapesConfig(root, output string) configs.Config {
	c := configs.Default()
	c.Name, c.Output, c.Seed = "shapes", output, 3
	set := func(name string) configs.Dataset {
		d := configs.Dataset{Layout: "generic", Root: filepath.Join(root, name), Images: "images", Map: filepath.Join(root, "map.yaml")}
		if name != "target" {
			d.Labels = "labels"
		}
		return d
	}
	c.Data.Source, c.Data.Target, c.Data.Eval = set("source"), set("target"), set("eval")
	c.Data.Target.Map = ""
	c.Data.Crop = configs.Size{Width: 64, Height: 64}
	c.Data.RCS.MinPixels = 10
	c.Model.Encoder, c.Model.Head, c.Model.HeadWidth, c.Model.ProjectorWidth = "mit_nano", "segformer", 16, 16
	c.Loss.Delta = 0.3 // so that L_T weighs from the first iteration on
	c.Loss.Pull.Queries, c.Loss.Pull.Negatives, c.Loss.Pull.Block = 8, 16, 8
	c.Train.Iterations, c.Train.LR, c.Train.HeadLRFactor, c.Train.Warmup = 6, 1e-3, 1, 0
	c.Train.EvalEvery, c.Train.CheckpointEvery, c.Train.LogEvery = 3, 2, 1
	c.Runtime.Device, c.Runtime.Precision, c.Runtime.CUDA.ConvAlgoSearch = enginetest.Device(), configs.FP32, "HEURISTIC"
	return c
}

// quiet are options that print nothing.
func quiet() Options { return Options{Log: zap.NewNop(), Out: io.Discard} }

// steps are events of iterations alone.
func steps(list ...learner.Step) []Event {
	events := make([]Event, len(list))
	for i, s := range list {
		events[i].Step = s
	}
	return events
}
