package score

import (
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"t2sda/datasets"
	"t2sda/export/exporttest"
	"t2sda/export/predict"
	"t2sda/graphs/engine"
	"t2sda/graphs/engine/enginetest"
	"t2sda/internal/raster"
)

// officialIDs repeats the formula of testdata/cityscapes_files.py.
func officialIDs(k int) (truth, prediction *raster.Labels) {
	const w, h = 48, 32
	truth, prediction = raster.NewLabels(w, h), raster.NewLabels(w, h)
	for i := range truth.Pix {
		x, y := i%w, i/w
		t := (x/6*7 + y/4*5 + 11*k) % 34
		p := t
		if (x*x+3*y+k)%11 < 3 {
			p = (t + 1 + (x+y)%3) % 34
		}
		if p == 31 {
			p = 28
		}
		truth.Pix[i], prediction.Pix[i] = uint8(t), uint8(p)
	}
	return truth, prediction
}

// TestCityscapesFiles evaluates label files of a Cityscapes tree with a model
// that says what the predictions of testdata/cityscapes_files.py say, and writes
// them: to every digit the scores are those of the official package, in full and
// as it prints them.
func TestCityscapesFiles(t *testing.T) {
	var golden struct {
		Images                      []string
		Classes, Categories         map[string]*float64
		MeanClasses, MeanCategories float64
		Printed                     [][]string
	}
	data, err := os.ReadFile("testdata/cityscapes_files.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &golden); err != nil {
		t.Fatal(err)
	}
	const step = 7 // of red per id
	root, out := t.TempDir(), t.TempDir()
	for k, name := range golden.Images {
		truth, prediction := officialIDs(k)
		city := strings.Split(name, "_")[0]
		writeTo(t, filepath.Join(root, "gtFine", "val", city, name+"_gtFine_labelIds.png"), truth.Gray())
		writeTo(t, filepath.Join(root, "leftImg8bit", "val", city, name+"_leftImg8bit.png"), exporttest.Paint(prediction, step).NRGBA())
	}
	d, err := datasets.Open(datasets.Options{Layout: "cityscapes", Root: root, Split: "val", RequireLabels: true})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := datasets.LoadLabelMap("cityscapes")
	if err != nil {
		t.Fatal(err)
	}
	e := enginetest.Open(t, engine.Options{})
	p := exporttest.Open(t, e, exporttest.Foreign{Classes: 34, Step: step}.File(t), predict.Options{Form: predict.Form{Labels: raw}})
	w, err := predict.NewWriter(out, predict.Formats(), d)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Evaluate(t.Context(), p, d, Options{Worst: 2, Each: func(p Prediction) error { return w.Write(p.ID, p.Image, p.Labels) }})
	if err != nil {
		t.Fatal(err)
	}
	check := func(results []ClassResult, want map[string]*float64, mean Score, wantMean float64) {
		t.Helper()
		for _, c := range results {
			if w := want[c.Name]; w == nil || math.Abs(float64(c.IoU)-*w) > 1e-15 {
				t.Errorf("%s: IoU %v, cityscapesScripts says %v", c.Name, float64(c.IoU), w)
			}
		}
		if math.Abs(float64(mean)-wantMean) > 1e-15 {
			t.Errorf("mean IoU %v, cityscapesScripts says %v", float64(mean), wantMean)
		}
	}
	check(r.Classes, golden.Classes, r.MIoU, golden.MeanClasses)
	check(r.Categories, golden.Categories, *r.MeanCategory, golden.MeanCategories)
	var printed [][]string
	line := func(name string, s Score) {
		printed = append(printed, append(strings.Fields(name), ":", fmt.Sprintf("%.3f", float64(s))))
	}
	for _, c := range r.Classes {
		line(c.Name, c.IoU)
	}
	line("Score Average", r.MIoU)
	for _, c := range r.Categories {
		line(c.Name, c.IoU)
	}
	line("Score Average", *r.MeanCategory)
	if got, want := fmt.Sprint(printed), fmt.Sprint(golden.Printed); got != want {
		t.Errorf("printed %s\ncityscapesScripts prints %s", got, want)
	}
	// SYNTHIA's means are over some of the same classes.
	for i, left := range []string{"terrain truck train", "terrain truck train wall fence pole"} {
		sum, n := 0.0, 0
		for _, c := range r.Classes {
			if !strings.Contains(" "+left+" ", " "+c.Name+" ") {
				sum, n = sum+*golden.Classes[c.Name], n+1
			}
		}
		if s := r.Subsets[i]; s.Classes != n || !same(float64(s.MIoU), sum/float64(n)) {
			t.Errorf("%s: %d classes, %v, want %d, %v", s.Name, s.Classes, float64(s.MIoU), n, sum/float64(n))
		}
	}
	checkWritten(t, out, golden.Images)
	if len(r.Worst) != 2 || r.Worst[0].PixelAccuracy > r.Worst[1].PixelAccuracy {
		t.Errorf("worst images %v", r.Worst)
	}
}

// checkWritten looks for the files of every format and at the ids in them: raw
// ids are those that were predicted, less the ignored ones, which become 0.
func checkWritten(t *testing.T, out string, images []string) {
	t.Helper()
	raw, err := datasets.LoadLabelMap("cityscapes")
	if err != nil {
		t.Fatal(err)
	}
	for k, name := range images {
		_, prediction := officialIDs(k)
		for format, suffix := range map[string]string{"labelids": "labelIds", "trainids": "labelTrainIds", "color": "color", "overlay": "overlay"} {
			f, err := os.Open(filepath.Join(out, format, strings.Split(name, "_")[0], name+"_pred_"+suffix+".png"))
			if err != nil {
				t.Fatal(err)
			}
			picture, _, err := image.Decode(f)
			f.Close()
			if err != nil {
				t.Fatal(err)
			}
			if picture.Bounds() != image.Rect(0, 0, 48, 32) {
				t.Errorf("%s has bounds %v", f.Name(), picture.Bounds())
			}
			for i, id := range prediction.Pix {
				train, _ := raw.TrainID(int(id))
				if train == raster.Void {
					id = 0
				}
				at := picture.At(i%48, i/48)
				if format == "labelids" && at != (color.Gray{Y: id}) || format == "trainids" && at != (color.Gray{Y: train}) {
					t.Fatalf("%s: pixel %d is %v for id %d", f.Name(), i, at, id)
				}
			}
		}
	}
}

func writeTo(t testing.TB, path string, picture image.Image) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := raster.WritePNG(path, picture); err != nil {
		t.Fatal(err)
	}
}

// painted evaluates predictions that a model reads off the images, over the five
// classes of [exporttest.FiveMap].
func painted(t *testing.T, truths, predictions []*raster.Labels) *Result {
	t.Helper()
	const step = 40
	s := exporttest.NewSet(t)
	for i, truth := range truths {
		s.Add(fmt.Sprint(i), exporttest.Paint(predictions[i], step), truth)
	}
	d, err := datasets.Open(datasets.Options{Root: s.Root, Map: filepath.Join(s.Root, "map.yaml"), RequireLabels: true})
	if err != nil {
		t.Fatal(err)
	}
	e := enginetest.Open(t, engine.Options{})
	p := exporttest.Open(t, e, exporttest.Foreign{Classes: 5, Step: step}.File(t), predict.Options{Form: predict.Form{Space: d.Space()}})
	r, err := Evaluate(t.Context(), p, d, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// rows is a label map, a digit per pixel, v for void.
func rows(lines ...string) *raster.Labels {
	l := raster.NewLabels(len(lines[0]), len(lines))
	for y, line := range lines {
		for x, c := range line {
			l.Pix[y*l.W+x] = uint8(c - '0')
			if c == 'v' {
				l.Pix[y*l.W+x] = raster.Void
			}
		}
	}
	return l
}

// TestEvaluateHandWorked has its numbers worked out by hand: IoU is hits over
// truth ∪ prediction, over all images, void left out.
func TestEvaluateHandWorked(t *testing.T) {
	tests := []struct {
		name                string
		truths, predictions []*raster.Labels
		iou                 [5]float64
		mean, accuracy      float64
	}{
		{
			"constant prediction", // 3 of 8 pixels are road
			[]*raster.Labels{rows("0011", "0122")},
			[]*raster.Labels{rows("0000", "0000")},
			[5]float64{3.0 / 8, 0, 0, nan, nan},
			1.0 / 8, 3.0 / 8,
		},
		{
			"perfect prediction",
			[]*raster.Labels{rows("0011", "v342"), rows("3333")},
			[]*raster.Labels{rows("0011", "2342"), rows("3333")},
			[5]float64{1, 1, 1, 1, 1},
			1, 1,
		},
		{
			"one class missing", // the two pixels of 3 are taken for 0 and 1
			[]*raster.Labels{rows("0011"), rows("0013")},
			[]*raster.Labels{rows("0011"), rows("0010")},
			[5]float64{4.0 / 5, 1, nan, 0, nan},
			(0.8 + 1 + 0) / 3, 7.0 / 8,
		},
		{
			"sizes that differ", // the sum over the split, not the mean of its images
			[]*raster.Labels{rows("00", "00"), rows("01")},
			[]*raster.Labels{rows("00", "00"), rows("10")},
			[5]float64{4.0 / 6, 0, nan, nan, nan},
			(4.0 / 6) / 2, 4.0 / 6,
		},
		{
			"void hides what is predicted", // the 4 at void counts nowhere
			[]*raster.Labels{rows("0vv1")},
			[]*raster.Labels{rows("0441")},
			[5]float64{1, 1, nan, nan, nan},
			1, 1,
		},
		{
			"nothing but void",
			[]*raster.Labels{rows("vv", "vv")},
			[]*raster.Labels{rows("01", "23")},
			[5]float64{nan, nan, nan, nan, nan},
			nan, nan,
		},
		{
			"a single pixel",
			[]*raster.Labels{rows("4")},
			[]*raster.Labels{rows("4")},
			[5]float64{nan, nan, nan, nan, 1},
			1, 1,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := painted(t, tt.truths, tt.predictions)
			for k, c := range r.Classes {
				if !same(float64(c.IoU), tt.iou[k]) {
					t.Errorf("%s: IoU %v, want %v", c.Name, float64(c.IoU), tt.iou[k])
				}
			}
			if !same(float64(r.MIoU), tt.mean) || !same(float64(r.PixelAccuracy), tt.accuracy) {
				t.Errorf("mean IoU %v, pixel accuracy %v, want %v, %v", float64(r.MIoU), float64(r.PixelAccuracy), tt.mean, tt.accuracy)
			}
		})
	}
}
