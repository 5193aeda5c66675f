package losses

import (
	"math"
	"slices"
	"strings"
	"testing"
)

func TestEncode(t *testing.T) {
	labels := []uint8{0, 255, 2, 1}
	for _, k := range []struct {
		d     Denominator
		scale float64
		want  []float32
	}{
		{AllPixels, 1, []float32{0.25, 0, 0.25, 0.25}},
		{ValidPixels, 1, []float32{1. / 3, 0, 1. / 3, 1. / 3}},
		{AllPixels, 0.5, []float32{0.125, 0, 0.125, 0.125}},
	} {
		ids, weights := []uint8{9, 9, 9, 9}, []float32{9, 9, 9, 9}
		if err := Encode(ids, weights, labels, 3, k.d, k.scale); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(ids, []uint8{0, 0, 2, 1}) || !slices.Equal(weights, k.want) {
			t.Errorf("%s: ids %v, weights %v", k.d, ids, weights)
		}
	}
}

func TestEncodeOfVoid(t *testing.T) {
	for _, d := range []Denominator{AllPixels, ValidPixels} {
		ids, weights := make([]uint8, 3), []float32{1, 1, 1}
		if err := Encode(ids, weights, []uint8{255, 255, 255}, 2, d, 1); err != nil || !slices.Equal(weights, []float32{0, 0, 0}) {
			t.Errorf("%s: %v %v", d, weights, err)
		}
	}
}

func TestEncodeErrors(t *testing.T) {
	for _, k := range []struct {
		ids    int
		labels []uint8
		d      Denominator
		want   string
	}{
		{2, []uint8{0, 3}, AllPixels, "label 3"},
		{2, []uint8{0, 1}, "most", `"most"`},
		{1, []uint8{0, 1}, AllPixels, "1 ids"},
	} {
		err := Encode(make([]uint8, k.ids), make([]float32, 2), k.labels, 3, k.d, 1)
		if err == nil || !strings.Contains(err.Error(), k.want) {
			t.Errorf("%+v: error %v", k, err)
		}
	}
}

// mix is two images of 4×2 with rims of one row above and two below.
func mix() *Mix {
	return &Mix{
		N: 2, H: 4, W: 2, Classes: 3,
		Labels: []uint8{0, 1, 1, 2, 0, 0, 255, 1, 2, 2, 2, 2, 1, 1, 1, 255},
		Pasted: [][]bool{
			{true, false, true, false, false, true, true, false},
			{false, false, false, false, false, false, false, true},
		},
		Quality: []float64{0.5, 0.25}, Rims: []Rim{{1, 2}, {1, 2}}, Weight: 1, Denominator: AllPixels,
	}
}

func TestMixByHand(t *testing.T) {
	const u = 1. / 16
	want := []float32{u, 0, u, u / 2, 0, u, 0, 0, 0, 0, u / 4, u / 4, 0, 0, 0, 0}
	ids, weights := make([]uint8, 16), make([]float32, 16)
	m := mix()
	if err := m.Encode(ids, weights); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(weights, want) {
		t.Errorf("weights %v, want %v", weights, want)
	}
	if ids[6] != 0 || ids[3] != 2 || ids[15] != 0 {
		t.Errorf("ids %v", ids)
	}

	m.ClassWeights = []float64{1, 0.5, 0} // DRW on L_T
	m.Denominator = ValidPixels
	if err := m.Encode(ids, weights); err != nil {
		t.Fatal(err)
	}
	const v = 1. / 14
	for i, w := range map[int]float64{0: v, 2: v / 2, 3: 0, 5: v, 10: 0} {
		near(t, "weight", float64(weights[i]), w, 1e-7)
	}
}

func TestMixWithRimsThatMeet(t *testing.T) {
	m := mix()
	m.Rims = []Rim{{3, 9}, {3, 9}}
	ids, weights := make([]uint8, 16), make([]float32, 16)
	if err := m.Encode(ids, weights); err != nil {
		t.Fatal(err)
	}
	for i, pasted := range slices.Concat(m.Pasted...) {
		if !pasted && weights[i] != 0 {
			t.Errorf("target pixel %d weighs %g", i, weights[i])
		}
	}
}

func TestMixWithoutRimsAtHalfWeight(t *testing.T) {
	m := mix()
	m.Rims, m.Weight = []Rim{{}, {Top: 1}}, 0.5
	ids, weights := make([]uint8, 16), make([]float32, 16)
	if err := m.Encode(ids, weights); err != nil {
		t.Fatal(err)
	}
	const u = 1. / 32
	want := []float32{u, u / 2, u, u / 2, u / 2, u, 0, u / 2, 0, 0, u / 4, u / 4, u / 4, u / 4, u / 4, 0}
	if !slices.Equal(weights, want) {
		t.Errorf("weights %v, want %v", weights, want)
	}
}

// TestCropRim: rims are rows of the image, whatever part of it a crop holds.
func TestCropRim(t *testing.T) {
	for _, c := range []struct {
		y, rows, height int
		want            Rim
	}{
		{0, 512, 512, Rim{15, 120}},   // DAFormer's
		{0, 1024, 1024, Rim{30, 240}}, // scaled with the image
		{0, 256, 512, Rim{15, 0}},     // a crop that reaches neither the bonnet …
		{100, 256, 512, Rim{0, 0}},    // … nor the sky's rim
		{256, 256, 512, Rim{0, 120}},  // the lower half
		{10, 400, 512, Rim{5, 18}},    // parts of both
		{500, 12, 512, Rim{0, 12}},    // nothing but bonnet
		{0, 8, 512, Rim{8, 0}},        // nothing but rim
	} {
		if rim := CropRim(c.y, c.rows, c.height, 15./512, 120./512); rim != c.want {
			t.Errorf("rows %d to %d of %d: %+v, want %+v", c.y, c.y+c.rows, c.height, rim, c.want)
		}
	}
	if rim := CropRim(0, 4, 4, 0, 0); rim != (Rim{}) {
		t.Errorf("no rims: %+v", rim)
	}
}

func TestMixErrors(t *testing.T) {
	for want, change := range map[string]func(m *Mix){
		"label 2":       func(m *Mix) { m.Classes = 2 },
		"1 qualities":   func(m *Mix) { m.Quality = m.Quality[:1] },
		"mask 1":        func(m *Mix) { m.Pasted[1] = nil },
		"class weights": func(m *Mix) { m.ClassWeights = []float64{1} },
		"1 rims":        func(m *Mix) { m.Rims = m.Rims[:1] },
		"weight NaN":    func(m *Mix) { m.Weight = math.NaN() },
		"do not fill":   func(m *Mix) { m.Labels = m.Labels[1:] },
		"denominator":   func(m *Mix) { m.Denominator = "" },
	} {
		m := mix()
		change(m)
		if err := m.Encode(make([]uint8, 16), make([]float32, 16)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v", want, err)
		}
	}
}

func TestQuality(t *testing.T) {
	confidence := []float32{0.968, 1, 0.9, 0.5, 0.99, 0.1, 0.2, 0.967}
	q := make([]float64, 2)
	Quality(q, confidence, 0.968)
	if q[0] != 0.5 || q[1] != 0.25 {
		t.Errorf("per image %v", q)
	}
	if share := float64(Confident(confidence, 0.968)) / float64(len(confidence)); share != 0.375 {
		t.Errorf("of the batch %v", share)
	}
}
