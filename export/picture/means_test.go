package picture

import (
	"image"
	"math"
	"strings"
	"testing"
)

// TestMeans: dots and bars of three rows lie where their numbers are: the second
// row's mean right of the first one's, its bar as long as two deviations.
func TestMeans(t *testing.T) {
	nan := math.NaN()
	rows := []Mean{
		{Name: "first", Values: []float64{39, 41}, Mean: 40, Std: 1},
		{Name: "second", Values: []float64{44, 56}, Mean: 50, Std: 6},
		{Name: "nothing", Values: []float64{nan}, Mean: nan, Std: nan},
	}
	picture, err := Means("what is compared", "mIoU", rows, 0)
	if err != nil {
		t.Fatal(err)
	}
	b := picture.Bounds()
	if b.Dy() != Density*(plotHead+meansAxes+3*meansRow) {
		t.Errorf("the picture has %v", b)
	}
	// The numbers at the right are in the same colour: look left of them.
	plot := image.Rect(0, Density*plotHead, b.Max.X*3/4, b.Max.Y)
	all := box(picture, accent, plot)
	top := image.Rect(plot.Min.X, all.Min.Y, plot.Max.X, all.Min.Y+Density*12)
	first := box(picture, accent, top)
	second := box(picture, accent, image.Rect(plot.Min.X, top.Max.Y, plot.Max.X, plot.Max.Y))
	if ratio := float64(second.Dx()) / float64(first.Dx()); first.Empty() || ratio < 4.5 || ratio > 6.5 {
		t.Errorf("bars of deviation 1 and 6 take %v and %v", first, second)
	}
	if first.Max.X >= second.Min.X || second.Min.Y-first.Max.Y > Density*meansRow {
		t.Errorf("the rows lie at %v and %v", first, second)
	}
	if !holds(picture, plot, gray) {
		t.Error("there are no dots of single runs")
	}
	rows[2].Others = []float64{20}
	if lo, hi := meansScale(rows); lo > 20 || hi < 56 {
		t.Errorf("the scale from %g to %g leaves out what others have reached", lo, hi)
	}
	if _, err := Means("none", "x", rows[2:], -1); err == nil || !strings.Contains(err.Error(), `"none": none of the 1 rows has a mean`) {
		t.Errorf("have %v", err)
	}
	if _, err := Means("one", "x", []Mean{{Name: "a", Values: []float64{5}, Mean: 5}}, -1); err != nil {
		t.Error(err)
	}
}

func TestCurvesOverSettings(t *testing.T) {
	s := Series{Name: "a", X: []float64{0.01, 1}, Y: []float64{40, 45}, Dots: true}
	plain, err := Curves(CurvesOptions{Title: "t", LogX: true}, s)
	if err != nil {
		t.Fatal(err)
	}
	s.Err = []float64{5, math.NaN()}
	picture, err := Curves(CurvesOptions{Title: "t", LogX: true}, s)
	if err != nil {
		t.Fatal(err)
	}
	plot := image.Rect(0, Density*(plotHead+5), Density*200, Density*(plotHead+plotHeight))
	if bar, line := box(picture, lineColors[0], plot), box(plain, lineColors[0], plot); bar.Dy() < 2*line.Dy() {
		t.Errorf("the error bar takes %v, the line without one %v", bar, line)
	}
	for want, bad := range map[string]Series{
		"has 2 y and 1 error bars":                   {Name: "a", X: s.X, Y: s.Y, Err: []float64{1}},
		"x = 0 has no place on a logarithmic axis":   {Name: "a", X: []float64{0, 1}, Y: s.Y},
		"x = NaN has no place on a logarithmic axis": {Name: "a", X: []float64{1, math.NaN()}, Y: s.Y},
	} {
		if _, err := Curves(CurvesOptions{LogX: true}, bad); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("have %v, want %s", err, want)
		}
	}
}
