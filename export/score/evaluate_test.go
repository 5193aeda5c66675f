package score

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"t2sda/export/exporttest"

	"github.com/google/go-cmp/cmp"

	"t2sda/datasets"
	"t2sda/export/predict"
	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
	"t2sda/internal/raster"
)

func TestEvaluatePerfectLabels(t *testing.T) {
	p := exporttest.NanoPredictor(t)
	s := exporttest.NewSet(t)
	images, labels := exporttest.Predicted(t, p, 5)
	occurs := map[uint8]bool{}
	for i, img := range images {
		s.Add(fmt.Sprintf("img%d", i), img, labels[i])
		for _, id := range labels[i].Pix {
			occurs[id] = true
		}
	}
	var steps []int
	r, err := Evaluate(t.Context(), p, s.Open(), Options{Name: "self", Progress: func(done, total int) { steps = append(steps, 10*done+total) }})
	if err != nil {
		t.Fatal(err)
	}
	if r.MIoU != 1 || r.PixelAccuracy != 1 || r.Images != 5 || r.Confusion.Pixels() != 5*96*48 {
		t.Errorf("mIoU %v, pixel accuracy %v over %d images, %d pixels", r.MIoU, r.PixelAccuracy, r.Images, r.Confusion.Pixels())
	}
	for k, c := range r.Classes {
		if occurs[uint8(k)] == math.IsNaN(float64(c.IoU)) {
			t.Errorf("class %s: IoU %v, occurs: %v", c.Name, c.IoU, occurs[uint8(k)])
		}
	}
	if diff := cmp.Diff([]int{15, 25, 35, 45, 55}, steps); diff != "" {
		t.Errorf("progress: %s", diff)
	}
	if r.Dataset != "self" || r.ConfigHash != "cafe" || r.Inference.Width != 64 || r.Seconds <= 0 || r.ImagesPerSecond <= 0 {
		t.Errorf("%+v", r)
	}
}

// TestEvaluateByHand spoils known numbers of labels.
func TestEvaluateByHand(t *testing.T) {
	p := exporttest.NanoPredictor(t)
	s := exporttest.NewSet(t)
	images, labels := exporttest.Predicted(t, p, 3)
	want := NewConfusion(5)
	for i, truth := range labels {
		spoiled := truth.Clone()
		for j := range spoiled.Pix {
			switch {
			case i == 2:
				spoiled.Pix[j] = raster.Void // nothing but void
			case j%(7-4*i) == 0: // every 7th pixel of image 0, every third of image 1
				spoiled.Pix[j] = (truth.Pix[j] + 1) % 5
			case j%11 == 1:
				spoiled.Pix[j] = raster.Void
			}
		}
		mustAdd(t, want, spoiled, truth)
		s.Add(fmt.Sprintf("img%d", i), images[i], spoiled)
	}
	var results []*Result
	for _, workers := range []int{1, 4} {
		r, err := Evaluate(t.Context(), p, s.Open(), Options{Workers: workers, Worst: 2})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.counts, r.Confusion.counts); diff != "" {
			t.Errorf("%d workers: %s", workers, diff)
		}
		if len(r.Worst) != 2 || r.Worst[0].ID != "img1" || r.Worst[1].ID != "img0" {
			t.Errorf("worst images: %v", r.Worst)
		}
		r.Seconds, r.ImagesPerSecond = 0, 0
		results = append(results, r)
	}
	if diff := cmp.Diff(results[0], results[1], cmp.AllowUnexported(Confusion{}), equateNaN); diff != "" {
		t.Errorf("1 and 4 workers differ: %s", diff)
	}
}

var equateNaN = cmp.Comparer(func(a, b Score) bool { return same(float64(a), float64(b)) })

// TestEvaluateViews: windows, sizes and mirror images give the same however many workers there are,
// aligned with the logits' positions or not.
func TestEvaluateViews(t *testing.T) {
	o := exporttest.NanoOptions("segformer")
	path := exporttest.NanoPredictor(t).Name()
	s := exporttest.NewSet(t)
	r := rand.New(rand.NewPCG(6, 6))
	for i, size := range [][2]int{{2 * o.Width, o.Height}, {o.Width + 8, o.Height}, {o.Width + 3, o.Height + 1}, {o.Width / 2, o.Height / 2}, {2 * o.Width, o.Height}} {
		img := exporttest.RandomImages(r, 1, size[0], size[1])[0]
		s.Add(fmt.Sprintf("img%d", i), img, raster.NewLabels(img.W, img.H))
	}
	var counts [][]int64
	for _, workers := range []int{1, 4} {
		p := exporttest.Open(t, enginetest.Open(t, engine.Options{}), path, predict.Options{Inference: predict.Inference{
			WindowWidth: o.Width, WindowHeight: o.Height, Overlap: 0.4, Scales: []float64{1, 1.5}, Flip: true,
		}})
		result, err := Evaluate(t.Context(), p, s.Open(), Options{Workers: workers})
		if err != nil {
			t.Fatal(err)
		}
		counts = append(counts, result.Confusion.counts)
	}
	if !slices.Equal(counts[0], counts[1]) {
		t.Errorf("1 and 4 workers count %v and %v", counts[0], counts[1])
	}
}

func TestEvaluateOneImageOfVoid(t *testing.T) {
	p := exporttest.NanoPredictor(t)
	s := exporttest.NewSet(t)
	void := raster.NewLabels(1, 1)
	void.Pix[0] = raster.Void
	s.Add("single", raster.NewImage(1, 1), void)
	r, err := Evaluate(t.Context(), p, s.Open(), Options{Worst: 1})
	if err != nil {
		t.Fatal(err)
	}
	if !math.IsNaN(float64(r.MIoU)) || !math.IsNaN(float64(r.PixelAccuracy)) || r.Images != 1 || len(r.Worst) != 0 {
		t.Errorf("%+v", r)
	}
}

func TestEvaluateBadInput(t *testing.T) {
	p := exporttest.NanoPredictor(t)
	images, labels := exporttest.Predicted(t, p, 2)
	whole, err := raster.EncodePNG(images[0].NRGBA())
	if err != nil {
		t.Fatal(err)
	}
	outside := labels[1].Clone()
	outside.Pix[0] = 77
	tests := []struct {
		name string
		bad  func(s exporttest.Set)
		want string
	}{
		{"image without label", func(s exporttest.Set) { s.Add("bad", images[1], nil) }, "bad.png has no label"},
		{"truncated image", func(s exporttest.Set) {
			s.Add("bad", images[1], labels[1])
			s.File("images/bad.png", whole[:len(whole)/2])
		}, "bad.png cannot be decoded"},
		{"label of another size", func(s exporttest.Set) { s.Add("bad", images[1], raster.NewLabels(95, 48)) }, "95×48"},
		{"id outside of the map", func(s exporttest.Set) { s.Add("bad", images[1], outside) }, "id 77"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := exporttest.NewSet(t)
			s.Add("good", images[0], labels[0])
			tt.bad(s)
			_, err := Evaluate(t.Context(), p, s.Open(), Options{})
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "bad.png") {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			r, err := Evaluate(t.Context(), p, s.Open(), Options{KeepGoing: true})
			if err != nil {
				t.Fatal(err)
			}
			if r.Images != 1 || r.MIoU != 1 || len(r.Skipped) != 1 || r.Skipped[0].ID != "bad" || !strings.Contains(r.Skipped[0].Error, tt.want) {
				t.Errorf("%d images, mIoU %v, skipped %v", r.Images, r.MIoU, r.Skipped)
			}
			if !strings.Contains(r.Summary(), "1 left out") {
				t.Errorf("summary does not speak of what is left out: %s", r.Summary())
			}
		})
	}
}

// What KeepGoing leaves out includes labels without image; a hook's error ends
// the evaluation.
func TestEvaluateOrphansAndHook(t *testing.T) {
	p := exporttest.NanoPredictor(t)
	images, labels := exporttest.Predicted(t, p, 1)
	s := exporttest.NewSet(t)
	s.Add("good", images[0], labels[0])
	s.PNG("labels/alone.png", labels[0].Gray())
	d, err := datasets.Open(datasets.Options{Root: s.Root, Map: filepath.Join(s.Root, "map.yaml"), Width: 64, Height: 32, KeepGoing: true})
	if err != nil {
		t.Fatal(err)
	}
	r, err := Evaluate(t.Context(), p, d, Options{KeepGoing: true})
	if err != nil || r.Images != 1 || len(r.Skipped) != 1 || !strings.Contains(r.Skipped[0].Error, "alone.png has no image of the same name") {
		t.Errorf("%+v, %v", r, err)
	}
	_, err = Evaluate(t.Context(), p, s.Open(), Options{Each: func(p Prediction) error { return fmt.Errorf("no place for %s", p.ID) }})
	if err == nil || !strings.Contains(err.Error(), "image good: no place for good") {
		t.Errorf("error %v", err)
	}
}

func TestEvaluateOtherClasses(t *testing.T) {
	p := exporttest.NanoPredictor(t)
	images, labels := exporttest.Predicted(t, p, 1)
	for _, tt := range []struct{ name, labelMap, want string }{
		{"count", strings.Replace(exporttest.FiveMap, "  - {name: fence, ids: [4]}\n", "", 1), "the model has 5 classes"},
		{"name", strings.Replace(exporttest.FiveMap, "wall", "hedge", 1), `class 3 is "wall" in the model and "hedge" in data set`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := exporttest.NewSet(t)
			s.Add("img", images[0], labels[0])
			s.File("map.yaml", []byte(tt.labelMap))
			_, err := Evaluate(t.Context(), p, s.Open(), Options{})
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), s.Root) {
				t.Errorf("error %v, want %q and the folder", err, tt.want)
			}
		})
	}
	t.Run("no labels", func(t *testing.T) {
		s := exporttest.NewSet(t)
		s.Add("img", images[0], nil)
		d, err := datasets.Open(datasets.Options{Root: s.Root, Images: "images", Width: 64, Height: 32})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Evaluate(t.Context(), p, d, Options{}); err == nil || !strings.Contains(err.Error(), "has no labels") {
			t.Errorf("error %v", err)
		}
	})
}

func TestEvaluateCancelled(t *testing.T) {
	p := exporttest.NanoPredictor(t)
	s := exporttest.NewSet(t)
	images, labels := exporttest.Predicted(t, p, 6)
	for i, img := range images {
		s.Add(fmt.Sprintf("img%d", i), img, labels[i])
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Evaluate(ctx, p, s.Open(), Options{KeepGoing: true, Progress: func(int, int) { cancel() }})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if r, err := Evaluate(t.Context(), p, s.Open(), Options{}); err != nil || r.MIoU != 1 {
		t.Errorf("after a cancelled evaluation: %v, %v", r, err)
	}
}

// Labels of another size in the same proportions are scored at their own size:
// the prediction is brought to it, as benchmarks do.
func TestEvaluateLabelsOfAnotherSize(t *testing.T) {
	p := exporttest.NanoPredictor(t)
	images, _ := exporttest.Predicted(t, p, 1)
	for _, size := range [][2]int{{192, 96}, {48, 24}, {127, 64}, {31, 15}} {
		s := exporttest.NewSet(t)
		want, err := p.PredictAt(t.Context(), images[0], size[0], size[1])
		if err != nil {
			t.Fatal(err)
		}
		s.Add("img", images[0], want)
		r, err := Evaluate(t.Context(), p, s.Open(), Options{})
		if err != nil || r.MIoU != 1 || r.Confusion.Pixels() != int64(size[0]*size[1]) {
			t.Errorf("%v: %+v, %v", size, r, err)
		}
	}
	for _, size := range [][2]int{{48, 96}, {96, 47}, {192, 90}} {
		s := exporttest.NewSet(t)
		s.Add("img", images[0], raster.NewLabels(size[0], size[1]))
		_, err := Evaluate(t.Context(), p, s.Open(), Options{})
		if err == nil || !strings.Contains(err.Error(), "not the same proportions") {
			t.Errorf("%v: %v", size, err)
		}
	}
}
