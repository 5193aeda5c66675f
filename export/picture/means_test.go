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
	if _, err := Means("none", "x", rows[2:], -1); err == nil || !strings.Contains(err.Error(), `"none": none of the 1 rows has a mean`) {
		t.Errorf("have %v", err)
	}
	if _, err := Means("one", "x", []Mean{{Name: "a", Values: []float64{5}, Mean: 5}}, -1); err != nil {
		t.Error(err)
	}
}

// TestMeansOfOthers: what others have reached widens the scale and is drawn in its row, at
// its place, as a square that is open, and named above.
func TestMeansOfOthers(t *testing.T) {
	nan := math.NaN()
	rows := []Mean{
		{Name: "first", Values: []float64{40, 60}, Mean: 50, Std: 10},
		{Name: "second", Values: []float64{50}, Mean: 50},
		{Name: "nothing", Mean: nan, Std: nan, Others: []float64{nan}},
	}
	draw := func(others ...float64) (image.Image, image.Rectangle) {
		rows[1].Others = others
		picture, err := Means("t", "x", rows, -1)
		if err != nil {
			t.Fatal(err)
		}
		b := picture.Bounds()
		// In the row's middle, right of its name and left of its number.
		y := Density * (plotHead + meansRow + meansRow/2)
		return picture, image.Rect(Density*90, y-Density*14, b.Max.X*3/4, y+Density*14)
	}
	plain, row := draw()
	if holds(plain, row, ink) {
		t.Fatal("the row holds a mark already")
	}
	picture, _ := draw(45)
	mark := box(picture, ink, row)
	if w := mark.Dx(); w < Density*8 || w > Density*16 || mark.Dy() < Density*8 || mark.Dy() > Density*16 {
		t.Fatalf("the mark takes %v", mark)
	}
	if inner := mark.Inset(Density * 4); holds(picture, inner, ink) {
		t.Error("the mark is not open")
	}
	own := box(picture, accent, row)
	above := image.Rect(0, 0, picture.Bounds().Max.X, Density*plotHead)
	if a, b := box(picture, ink, above), box(plain, ink, above); a.Max.X <= b.Max.X {
		t.Errorf("above the plot it is not named: %v, without it %v", a, b)
	}
	if mark.Max.X >= own.Min.X {
		t.Errorf("45 lies at %v, 50 at %v", mark, own)
	}
	picture, _ = draw(20)
	if far := box(picture, ink, row); far.Empty() || far.Dx() > Density*16 || far.Max.X >= mark.Min.X {
		t.Errorf("20 lies at %v, 45 at %v", far, mark)
	}
	if lo, hi := meansScale(rows); lo > 20 || hi < 60 {
		t.Errorf("the scale is from %g to %g", lo, hi)
	}
}

// TestCurvesOfOthers: likewise over settings, in the series' colour, where the series
// itself has no point, too.
func TestCurvesOfOthers(t *testing.T) {
	nan := math.NaN()
	s := Series{Name: "a", X: []float64{1, 2, 3}, Y: []float64{40, 41, nan}, Dots: true}
	plain, err := Curves(CurvesOptions{Title: "t"}, s)
	if err != nil {
		t.Fatal(err)
	}
	s.Others = []float64{nan, nan, 60}
	picture, err := Curves(CurvesOptions{Title: "t"}, s)
	if err != nil {
		t.Fatal(err)
	}
	plot := image.Rect(0, Density*(plotHead+5), picture.Bounds().Max.X, Density*(plotHead+plotHeight))
	all, line := box(picture, lineColors[0], plot), box(plain, lineColors[0], plot)
	if all.Max.X < line.Max.X-Density*20 || all.Min.Y >= line.Max.Y {
		t.Errorf("the square and the line take %v, the line alone %v", all, line)
	}
	corner := image.Rect(all.Max.X-Density*14, all.Min.Y, all.Max.X, all.Min.Y+Density*14)
	mark := box(picture, lineColors[0], corner)
	if mark.Dx() < Density*8 || mark.Dy() < Density*8 || holds(picture, mark.Inset(Density*4), lineColors[0]) {
		t.Errorf("no open square in the corner: %v", mark)
	}
	above := image.Rect(0, 0, picture.Bounds().Max.X, Density*plotHead)
	if a, b := box(picture, ink, above), box(plain, ink, above); a.Max.X <= b.Max.X {
		t.Errorf("above the plot it is not named: %v, without it %v", a, b)
	}
	s.Others = s.Others[1:]
	if _, err := Curves(CurvesOptions{}, s); err == nil || !strings.Contains(err.Error(), `series "a" has 3 x and 2 of others`) {
		t.Errorf("have %v", err)
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
