package score

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"t2sda/internal/raster"
)

// labels returns a map of one row.
func labels(ids ...uint8) *raster.Labels {
	return &raster.Labels{W: len(ids), H: 1, Pix: ids}
}

func mustAdd(t *testing.T, c *Confusion, truth, prediction *raster.Labels) {
	t.Helper()
	if err := c.Add(truth, prediction); err != nil {
		t.Fatal(err)
	}
}

// same compares to 1e-12, NaN being equal to NaN.
func same(a, b float64) bool {
	return math.IsNaN(a) && math.IsNaN(b) || math.Abs(a-b) <= 1e-12
}

var nan = math.NaN()

func TestConfusionByHand(t *testing.T) {
	const void = raster.Void
	tests := []struct {
		name              string
		truth, prediction []uint8
		iou               []float64
		miou, pixel, mean float64
	}{
		{
			name:  "perfect, class 2 absent",
			truth: []uint8{0, 0, 1, 1}, prediction: []uint8{0, 0, 1, 1},
			iou: []float64{1, 1, nan}, miou: 1, pixel: 1, mean: 1,
		},
		{
			name:  "constant prediction of a labelled class",
			truth: []uint8{0, 0, 0, 1, 1, 2}, prediction: []uint8{0, 0, 0, 0, 0, 0},
			iou: []float64{3. / 6, 0, 0}, miou: 1. / 6, pixel: 3. / 6, mean: 1. / 3,
		},
		{
			// Class 2 is never labelled: as in the benchmark's script its IoU is
			// 0/(0+4+0) = 0 and counts in the mean; it has no recall.
			name:  "constant prediction of a class that is not labelled",
			truth: []uint8{0, 0, 1, 1}, prediction: []uint8{2, 2, 2, 2},
			iou: []float64{0, 0, 0}, miou: 0, pixel: 0, mean: 0,
		},
		{
			name:  "one class missing in the prediction",
			truth: []uint8{0, 0, 1, 1, 2, 2}, prediction: []uint8{0, 0, 1, 1, 1, 1},
			iou: []float64{1, 2. / 4, 0}, miou: 1.5 / 3, pixel: 4. / 6, mean: 2. / 3,
		},
		{
			name:  "void truth is not counted, whatever is predicted",
			truth: []uint8{0, void, void, 1}, prediction: []uint8{0, 2, 0, 1},
			iou: []float64{1, 1, nan}, miou: 1, pixel: 1, mean: 1,
		},
		{
			name:  "nothing but void",
			truth: []uint8{void, void}, prediction: []uint8{0, 1},
			iou: []float64{nan, nan, nan}, miou: nan, pixel: nan, mean: nan,
		},
		{
			name:  "void predicted on a true class is a miss and nobody's false positive",
			truth: []uint8{0, 0, 1, 1}, prediction: []uint8{0, void, 1, 1},
			iou: []float64{0.5, 1, nan}, miou: 0.75, pixel: 0.75, mean: 0.75,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := NewConfusion(3)
			mustAdd(t, c, labels(tt.truth...), labels(tt.prediction...))
			for k, got := range c.IoU() {
				if !same(got, tt.iou[k]) {
					t.Errorf("IoU of class %d is %v, want %v", k, got, tt.iou[k])
				}
			}
			for _, m := range []struct {
				name      string
				got, want float64
			}{{"mIoU", c.MeanIoU(), tt.miou}, {"pixel accuracy", c.PixelAccuracy(), tt.pixel}, {"mean accuracy", c.MeanAccuracy(), tt.mean}} {
				if !same(m.got, m.want) {
					t.Errorf("%s is %v, want %v", m.name, m.got, m.want)
				}
			}
		})
	}
}

func TestConfusionErrors(t *testing.T) {
	tests := []struct {
		name              string
		truth, prediction *raster.Labels
		want              string
	}{
		{"sizes", labels(0, 1), labels(0, 1, 2), "prediction of 3×1 pixels for labels of 2×1"},
		{"label id", labels(0, 3), labels(0, 1), "label holds class id 3, but there are 3 classes"},
		{"prediction id", labels(0, 1), labels(0, 254), "prediction holds class id 254"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := NewConfusion(3)
			err := c.Add(tt.truth, tt.prediction)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if c.Pixels() != 0 {
				t.Errorf("%d pixels were counted in spite of the error", c.Pixels())
			}
		})
	}
	if err := NewConfusion(3).Merge(NewConfusion(4)); err == nil {
		t.Error("matrices over 3 and 4 classes were merged")
	}
}

// randomPair draws labels with some void and a prediction that is right in
// about half of the pixels.
func randomPair(r *rand.Rand, classes, w, h int) (truth, prediction *raster.Labels) {
	truth, prediction = raster.NewLabels(w, h), raster.NewLabels(w, h)
	for i := range truth.Pix {
		truth.Pix[i] = uint8(r.IntN(classes))
		prediction.Pix[i] = uint8(r.IntN(classes))
		if r.IntN(2) == 0 {
			prediction.Pix[i] = truth.Pix[i]
		}
		if r.IntN(10) == 0 {
			truth.Pix[i] = raster.Void
		}
	}
	return truth, prediction
}

func TestConfusionProperties(t *testing.T) {
	const seed, classes = 7, 5
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, seed))
	whole, merged := NewConfusion(classes), NewConfusion(classes)
	permuted := NewConfusion(classes)
	permutation := r.Perm(classes)
	for range 10 {
		truth, prediction := randomPair(r, classes, 31, 17)
		mustAdd(t, whole, truth, prediction)
		part := NewConfusion(classes)
		mustAdd(t, part, truth, prediction)
		if err := merged.Merge(part); err != nil {
			t.Fatal(err)
		}
		for _, l := range []*raster.Labels{truth, prediction} {
			for i, id := range l.Pix {
				if id != raster.Void {
					l.Pix[i] = uint8(permutation[id])
				}
			}
		}
		mustAdd(t, permuted, truth, prediction)
	}
	if !same(whole.MeanIoU(), merged.MeanIoU()) || whole.Pixels() != merged.Pixels() {
		t.Error("merging matrices of single images differs from one matrix over all")
	}
	if !same(whole.MeanIoU(), permuted.MeanIoU()) {
		t.Errorf("permuting the classes changed the mIoU from %v to %v", whole.MeanIoU(), permuted.MeanIoU())
	}
	for k, iou := range whole.IoU() {
		if got := permuted.IoU()[permutation[k]]; !same(got, iou) {
			t.Errorf("class %d became %d and its IoU %v became %v", k, permutation[k], iou, got)
		}
	}
	var truth, predicted int64
	for k := range classes {
		truth += whole.Truth(k)
		predicted += whole.Predicted(k)
	}
	if truth != whole.Pixels() || predicted != whole.Pixels() {
		t.Errorf("rows add up to %d, columns to %d, pixels are %d", truth, predicted, whole.Pixels())
	}
}

func TestConfusionJSON(t *testing.T) {
	c := NewConfusion(3)
	mustAdd(t, c, labels(0, 0, 1, 2, 2), labels(0, 1, 1, 2, raster.Void))
	data, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"rows":[[1,1,0],[0,1,0],[0,0,1]],"missed":[0,0,1]}`; string(data) != want {
		t.Errorf("JSON is %s, want %s", data, want)
	}
	back := new(Confusion)
	if err := json.Unmarshal(data, back); err != nil {
		t.Fatal(err)
	}
	if !same(back.MeanIoU(), c.MeanIoU()) || back.Missed(2) != 1 {
		t.Error("the matrix changed on its way through JSON")
	}
	for _, bad := range []string{`{}`, `{"rows":[[1,2],[3]]}`, `{"rows":[[1]],"missed":[1,2]}`, `[]`} {
		if err := json.Unmarshal([]byte(bad), new(Confusion)); err == nil {
			t.Errorf("%s was accepted as a confusion matrix", bad)
		}
	}
}

func BenchmarkConfusionAdd(b *testing.B) {
	truth, prediction := randomPair(rand.New(rand.NewPCG(1, 1)), 19, 2048, 1024)
	c := NewConfusion(19)
	b.SetBytes(int64(len(truth.Pix)))
	for b.Loop() {
		if err := c.Add(truth, prediction); err != nil {
			b.Fatal(err)
		}
	}
}
