package predict_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"t2sda/export/exporttest"
	"t2sda/export/predict"
	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
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
