package predict_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"t2sda/datasets"
	"t2sda/export/exporttest"
	"t2sda/export/predict"
	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
	"t2sda/graphs/engine/onnxtest"
	"t2sda/internal/raster"
)

// Tasks that run together give what each gives alone, whatever their sizes; a model of
// one image at a time runs them one by one.
func TestRunTogether(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	for _, c := range []struct {
		name   string
		model  exporttest.Foreign
		shares bool
	}{
		{"free batch", exporttest.Foreign{Classes: 5, Step: step, FreeBatch: true, FreeShape: true}, true},
		{"labels", exporttest.Foreign{Classes: 5, Step: step, FreeBatch: true, FreeShape: true, Labels: engine.Int64}, true},
		{"channels last", exporttest.Foreign{Classes: 5, Step: step, FreeBatch: true, FreeShape: true, NHWC: true, LogitsLast: true}, true},
		{"one image", exporttest.Foreign{Classes: 5, Step: step}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := exporttest.Open(t, e, c.model.File(t), predict.Options{Form: five()})
			if p.SharesRuns() != c.shares {
				t.Fatalf("SharesRuns is %v", p.SharesRuns())
			}
			var images []*raster.Image
			for _, size := range [][2]int{{16, 12}, {16, 12}, {24, 8}, {16, 12}, {24, 8}} {
				images = append(images, exporttest.RandomImages(rand.New(rand.NewPCG(uint64(len(images)), 1)), 1, size[0], size[1])...)
			}
			for round := range 2 { // the sizes are known in the second
				tasks := make([]*predict.Task, len(images))
				for i, img := range images {
					tasks[i] = p.NewTask()
					if err := tasks[i].Fill(img); err != nil {
						t.Fatal(err)
					}
				}
				for i, err := range p.RunTogether(t.Context(), tasks) {
					if err != nil {
						t.Fatal(err)
					}
					have, err := tasks[i].Labels(images[i].W, images[i].H)
					if err != nil {
						t.Fatal(err)
					}
					tasks[i].Close()
					want, err := p.Predict(t.Context(), images[i])
					if err != nil {
						t.Fatal(err)
					}
					if !slices.Equal(have.Pix, want.Pix) {
						t.Errorf("round %d, image %d: other labels than alone", round, i)
					}
				}
			}
		})
	}
}

// Logits 0 and L of two classes are probabilities of 1/(1+e^L): of class 1 at red 40
// (Step 40: logits 0, 1 − 1/2) and class 0 at red 0 (0, −1/2) the same, e^½/(1+e^½) = 0.6225.
func TestConfidence(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	two := five()
	two.Space.Classes = two.Space.Classes[:2]
	p := exporttest.Open(t, e, exporttest.Foreign{Classes: 2, Step: step}.File(t), predict.Options{Form: two})
	labels := raster.NewLabels(4, 2)
	labels.Pix[2], labels.Pix[3] = 1, 1
	for _, views := range []predict.Inference{{}, {Flip: true}} {
		p := p
		if views.Flip {
			p = exporttest.Open(t, e, exporttest.Foreign{Classes: 2, Step: step}.File(t), predict.Options{Form: two, Inference: views})
		}
		task := p.NewTask()
		if err := task.Fill(exporttest.Paint(labels, step)); err != nil {
			t.Fatal(err)
		}
		if err := task.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		c := task.Confidence(4, 2)
		want := uint8(math.Round(255 * math.Exp(0.5) / (1 + math.Exp(0.5))))
		if c == nil || c.W != 4 || c.H != 2 || !slices.Equal(c.Pix, slices.Repeat([]uint8{want}, 8)) {
			t.Errorf("%+v: confidence %+v, want %d", views, c, want)
		}
		task.Close()
	}
	labelled := exporttest.Open(t, e, exporttest.Foreign{Classes: 2, Step: step, Labels: engine.Uint8}.File(t), predict.Options{Form: two})
	task := labelled.NewTask()
	defer task.Close()
	if err := task.Fill(exporttest.Paint(labels, step)); err != nil {
		t.Fatal(err)
	}
	if err := task.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c := task.Confidence(4, 2); c != nil {
		t.Errorf("a label map has confidence %+v", c)
	}
}

func TestRecipe(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	form := five()
	form.BGR, form.Scale, form.Mean, form.Std = true, 1, []float64{0.5, 0, 0}, []float64{0.5, 1, 1}
	p := exporttest.Open(t, e, exporttest.Foreign{Classes: 5, Step: step, NHWC: true, BGR: true, W: 8, H: 4}.File(t), predict.Options{Form: form})
	r := p.Recipe()
	in := r.Input
	if in.Name != "x" || in.Type != "float32" || in.Layout != "nhwc" || !in.Batch || in.Channels != [3]int{2, 1, 0} || in.Width != 8 || in.Height != 4 || r.Width != 8 || !r.Single {
		t.Errorf("recipe %+v", r)
	}
	// Channel 0 is blue: 255 becomes (1 − 0.5)/0.5 = 1, 0 becomes −1; green stays 0–1.
	if v := in.Values; len(v) != 3 || v[0][255] != 1 || v[0][0] != -1 || v[1][255] != 1 || v[1][51] != 0.2 {
		t.Errorf("values %v", v)
	}
	plain := exporttest.Open(t, e, exporttest.Foreign{Classes: 5, Step: step}.File(t), predict.Options{Form: five(), Inference: predict.Inference{Flip: true}}).Recipe()
	if plain.Input.Values != nil || plain.Single || plain.Width != 0 {
		t.Errorf("recipe %+v", plain)
	}
}

// crowd is a model whose scores depend on how many images share a run, by as little as a
// rounding: each is (1 + 2⁻²⁰)ⁿ⁻¹ times what it is alone.
func crowd(t *testing.T) string {
	t.Helper()
	m := onnxtest.New().In("x", int(engine.Float32), -1, 3, -1, -1).Out("y", int(engine.Float32), -1, 3, -1, -1)
	m.Node("shape", "Shape", "x", "shape", "start", 0, "end", 1).Node("number", "Cast", "shape", "number", "to", int(engine.Float32))
	m.Floats("one", []float32{1}, 1).Floats("step", []float32{1 + 1.0/(1<<20)}, 1)
	m.Node("others", "Sub", "number one", "others").Node("power", "Pow", "step others", "power").Node("more", "Mul", "x power", "y")
	path := filepath.Join(t.TempDir(), "crowd.onnx")
	if err := os.WriteFile(path, m.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// RunAlike gives what single runs give, bit by bit, whether or not the model does when
// images share a run; RunTogether does not.
func TestRunAlike(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	three := five()
	three.Space.Classes = three.Space.Classes[:3]
	for _, c := range []struct {
		path    string
		differs bool
	}{
		{crowd(t), true},
		{exporttest.Foreign{Classes: 3, Step: step, FreeBatch: true, FreeShape: true}.File(t), false},
	} {
		p := exporttest.Open(t, e, c.path, predict.Options{Form: three})
		images := exporttest.RandomImages(rand.New(rand.NewPCG(4, 1)), 3, 10, 6)
		probabilities := func(run func(context.Context, []*predict.Task) []error, images ...*raster.Image) (all []float32) {
			tasks := make([]*predict.Task, len(images))
			for i, img := range images {
				tasks[i] = p.NewTask()
				if err := tasks[i].Fill(img); err != nil {
					t.Fatal(err)
				}
			}
			if err := errors.Join(run(t.Context(), tasks)...); err != nil {
				t.Fatal(err)
			}
			for _, task := range tasks {
				task.Probabilities(10, 6, func(_ int, values []float32) { all = append(all, values...) })
				task.Close()
			}
			return all
		}
		var want []float32
		for _, img := range images {
			want = append(want, probabilities(p.RunAlike, img)...)
		}
		for round := range 4 { // sizes are learned, runs compared, and then known
			if have := probabilities(p.RunAlike, images...); !slices.Equal(have, want) {
				t.Errorf("differs %v, round %d: other results than alone", c.differs, round)
			}
		}
		if p.Differs() != c.differs {
			t.Errorf("Differs is %v, want %v", p.Differs(), c.differs)
		}
		if have := probabilities(p.RunTogether, images...); slices.Equal(have, want) == c.differs {
			t.Errorf("differs %v: RunTogether does not tell", c.differs)
		}
	}
}

// Probabilities are those of classes: the sums of channels that stand for them, less those
// that stand for none, and means over views.
func TestProbabilities(t *testing.T) {
	e := enginetest.Open(t, engine.Options{})
	file := filepath.Join(t.TempDir(), "map.yaml")
	if err := os.WriteFile(file, []byte("classes:\n  - {name: a, ids: [0, 2]}\n  - {name: b, ids: [3]}\nignore: [1]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := datasets.LoadLabelMap(file)
	if err != nil {
		t.Fatal(err)
	}
	// Red 40 has the logits k·1 − k²/2 of the channels 0…3: 0, ½, 0, −3/2.
	e0, e1, e3 := 1.0, math.Exp(0.5), math.Exp(-1.5)
	sum := 2*e0 + e1 + e3
	labels := raster.NewLabels(3, 2)
	for i := range labels.Pix {
		labels.Pix[i] = 1
	}
	for _, o := range []predict.Inference{{}, {Flip: true}, {WindowWidth: 2, WindowHeight: 2, Overlap: 0.5}} {
		p := exporttest.Open(t, e, exporttest.Foreign{Classes: 4, Step: step}.File(t), predict.Options{Form: predict.Form{Labels: m}, Inference: o})
		task := p.NewTask()
		if err := errors.Join(task.Fill(exporttest.Paint(labels, step)), task.Run(t.Context())); err != nil {
			t.Fatal(err)
		}
		rows := 0
		ok := task.Probabilities(3, 2, func(y int, values []float32) {
			if rows++; y != rows-1 || len(values) != 2*3 {
				t.Fatalf("row %d of %d values", y, len(values))
			}
			for i, v := range values {
				if want := []float64{2 * e0 / sum, e3 / sum}[i/3]; math.Abs(float64(v)-want) > 1e-6 {
					t.Errorf("%+v, class %d: %v, want %v", o, i/3, v, want)
				}
			}
		})
		if !ok || rows != 2 {
			t.Errorf("%d rows, %v", rows, ok)
		}
		task.Close()
	}
}
