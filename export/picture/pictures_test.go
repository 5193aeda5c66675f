package picture

import (
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/image/font"

	"t2sda/datasets"
	"t2sda/export/exporttest"
	"t2sda/export/score"
	"t2sda/internal/raster"
)

// holds reports whether a picture has a pixel of the colour within a rectangle.
func holds(picture image.Image, r image.Rectangle, c color.NRGBA) bool {
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			if color.NRGBAModel.Convert(picture.At(x, y)) == c {
				return true
			}
		}
	}
	return false
}

func constantLabels(w, h int, id uint8) *raster.Labels {
	l := raster.NewLabels(w, h)
	for i := range l.Pix {
		l.Pix[i] = id
	}
	return l
}

// row returns a map of one row.
func row(ids ...uint8) *raster.Labels {
	return &raster.Labels{W: len(ids), H: 1, Pix: ids}
}

func TestStrip(t *testing.T) {
	space := datasets.Cityscapes19()
	white := raster.NewImage(40, 20)
	for i := range white.Pix {
		white.Pix[i] = 255
	}
	picture, err := Strip(space, []string{"target", "prediction", "overlay", "nothing"}, []StripRow{
		{Title: "first", Cells: []Cell{{Image: white}, {Labels: constantLabels(40, 20, 13)}, {Image: white, Labels: constantLabels(40, 20, 13)}, {}}},
		{Title: "second", Cells: []Cell{{Image: white}, {Labels: constantLabels(10, 20, 2)}, {}, {}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	b := picture.Bounds()
	column := (stripWidth-2*stripMargin-3*stripGap)/4 + stripGap
	cells := func(j int) image.Rectangle {
		return image.Rect(stripMargin+j*column, stripMargin+44, stripMargin+(j+1)*column-stripGap, b.Max.Y-100)
	}
	car := color.NRGBA{0, 0, 142, 255}
	if !holds(picture, cells(1), car) || holds(picture, cells(0), car) || holds(picture, cells(3), car) {
		t.Error("labels stand in the wrong column")
	}
	if half := (color.NRGBA{128, 128, 199, 255}); !holds(picture, cells(2), half) {
		t.Error("the overlay is not half image, half class colour")
	}
	if legend := image.Rect(0, b.Max.Y-100, b.Max.X, b.Max.Y); !holds(picture, legend, car) || !holds(picture, legend, color.NRGBA{107, 142, 35, 255}) {
		t.Error("the legend lacks colours")
	}
	for _, tt := range []struct {
		columns []string
		rows    []StripRow
		want    string
	}{
		{nil, nil, "0 columns"},
		{[]string{"a"}, []StripRow{{Title: "x", Cells: make([]Cell, 2)}}, `row "x" has 2 cells for 1 columns`},
		{[]string{"a"}, []StripRow{{Cells: make([]Cell, 1)}}, "all 1 rows are empty"},
	} {
		if _, err := Strip(space, tt.columns, tt.rows); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("error %v, want %q", err, tt.want)
		}
	}
}

// One picture of a single column or row does not make a strip of millions of rows.
func TestStripOfNarrowPictures(t *testing.T) {
	for _, size := range [][2]int{{1, 1000}, {1000, 1}} {
		narrow, usual := Cell{Image: raster.NewImage(size[0], size[1])}, Cell{Image: raster.NewImage(4, 3)}
		picture, err := Strip(datasets.Cityscapes19(), []string{"image"}, []StripRow{{Cells: []Cell{narrow}}, {Cells: []Cell{usual}}})
		if err != nil {
			t.Fatal(err)
		}
		if h := picture.Bounds().Dy(); h > 2*(stripMaxRatio*stripMaxCell+100)+400 {
			t.Errorf("with a picture of %d×%d pixels the strip is %d high", size[0], size[1], h)
		}
	}
}

func TestConfusionPicture(t *testing.T) {
	space := exporttest.FiveClasses()
	c := score.NewConfusion(5)
	if err := c.Add(row(0, 0, 1, 1), row(0, 0, 1, 0)); err != nil {
		t.Fatal(err)
	}
	picture, err := Confusion(space, c)
	if err != nil {
		t.Fatal(err)
	}
	full, _ := shareColor(1)
	half, _ := shareColor(0.5)
	b := picture.Bounds()
	first := box(picture, full, b).Min // of cell (0,0)
	if y0 := b.Max.Y - Density*(matrixMargin+5*matrixCell); first.Y != y0 {
		t.Errorf("the first cell is at %v, want row %d", first, y0)
	}
	cell := func(t, p int) color.Color {
		return color.NRGBAModel.Convert(picture.At(first.X+Density*(p*matrixCell+3), first.Y+Density*(t*matrixCell+3)))
	}
	for _, tt := range []struct {
		truth, prediction int
		want              color.NRGBA
	}{{0, 0, full}, {0, 1, paper}, {1, 0, half}, {1, 1, half}, {4, 4, paper}} {
		if got := cell(tt.truth, tt.prediction); got != tt.want {
			t.Errorf("cell (%d,%d) is %v, want %v", tt.truth, tt.prediction, got, tt.want)
		}
	}
	if _, err := Confusion(datasets.Cityscapes19(), c); err == nil {
		t.Error("a matrix over 5 classes was drawn with 19 names")
	}
}

func TestCurves(t *testing.T) {
	const seed = 4
	r := rand.New(rand.NewPCG(seed, seed))
	var x, y []float64
	for i := range 200 {
		x, y = append(x, float64(i)), append(y, math.Exp(-float64(i)/50)+0.1*r.Float64())
	}
	y[3], y[7] = math.NaN(), math.Inf(1)
	for _, o := range []CurvesOptions{{Title: "linear"}, {Title: "from zero", FromZero: true}} {
		picture, err := Curves(o, Series{Name: "smooth", X: x, Y: y, Smooth: true}, Series{Name: "empty"}, Series{Name: "one point", X: []float64{5}, Y: []float64{1}, Dots: true})
		if err != nil {
			t.Fatalf("%s: %v", o.Title, err)
		}
		plot := image.Rect(0, Density*plotHead, Density*plotWidth, Density*(plotHead+plotHeight))
		if !holds(picture, plot, lineColors[0]) || !holds(picture, plot, lineColors[2]) || holds(picture, plot, lineColors[1]) {
			t.Errorf("%s: wrong lines", o.Title)
		}
	}
	for _, tt := range []struct {
		s    Series
		want string
	}{
		{Series{Name: "a", X: x, Y: y[:3]}, `series "a" has 200 x and 3 y`},
		{Series{Name: "a", X: x[:1], Y: []float64{math.NaN()}}, "no finite points"},
	} {
		if _, err := Curves(CurvesOptions{Title: "t"}, tt.s); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("error %v, want %q", err, tt.want)
		}
	}
	if _, err := Curves(CurvesOptions{}, Series{X: []float64{0, 1}, Y: []float64{2, 2}}); err != nil {
		t.Errorf("a constant series: %v", err)
	}
}

func TestTicksAreRound(t *testing.T) {
	for _, tt := range []struct {
		lo, hi float64
		want   string
	}{{0, 100, "0 20 40 60 80 100"}, {0.52, 3.4, "1 1.5 2 2.5 3"}, {0, 2995, "0 500 1000 1500 2000 2500"}, {2, 2, "2"}, {1, 1 + 4e-16, "1"}, {-0.1, 0.1, "-0.1 -0.05 0 0.05 0.1"}} {
		var got []string
		for _, tick := range (roundTicks{}).Ticks(tt.lo, tt.hi) {
			got = append(got, tick.Label)
		}
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("ticks of %g…%g are %s, want %s", tt.lo, tt.hi, s, tt.want)
		}
	}
}

// box is the area that a panel's dots take, found by their colour.
func box(picture image.Image, c color.NRGBA, r image.Rectangle) image.Rectangle {
	found := image.Rectangle{}
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			if color.NRGBAModel.Convert(picture.At(x, y)) == c {
				found = found.Union(image.Rect(x, y, x+1, y+1))
			}
		}
	}
	return found
}

func TestMeasures(t *testing.T) {
	nan := math.NaN()
	rows, series := []string{"mean", "road", "car"}, []string{"after", "before"}
	low := Measure{Title: "share", Values: [][]float64{{0.5, 1, nan}, {0.2, 0.4, math.Inf(1)}}, Digits: 2, Hi: 1}
	picture, err := Measures("what is measured", rows, series, low, Measure{Title: "nothing", Values: [][]float64{{nan, nan, nan}, {nan, nan, nan}}})
	if err != nil {
		t.Fatal(err)
	}
	b := picture.Bounds()
	if b.Size() != image.Pt(panelNames+2*panelWidth, plotHead+panelAxes+3*panelRow).Mul(Density) {
		t.Errorf("the picture has %v", b)
	}
	panels := []image.Rectangle{image.Rect(Density*panelNames, Density*plotHead, Density*(panelNames+panelWidth-20), b.Max.Y), image.Rect(Density*(panelNames+panelWidth), Density*plotHead, b.Max.X, b.Max.Y)}
	after, before := box(picture, accent, panels[0]), box(picture, gray, panels[0])
	switch {
	case after.Empty() || before.Empty() || before.Min.X >= after.Min.X:
		t.Errorf("dots after lie in %v, before in %v", after, before)
	case after.Dy() < Density*panelRow || after.Dy() > Density*2*panelRow:
		t.Errorf("dots of two rows lie in %v", after)
	case !box(picture, accent, panels[1]).Empty():
		t.Error("what is not finite has dots")
	}
	// The first row lies above the second one: its dot is further left.
	top := image.Rect(panels[0].Min.X, after.Min.Y, panels[0].Max.X, after.Min.Y+Density*10)
	if first := box(picture, accent, top); first.Max.X >= after.Max.X-Density*20 {
		t.Errorf("the first row's dot lies in %v of %v", first, after)
	}
	for _, bad := range []struct {
		series []string
		panel  Measure
		want   string
	}{
		{[]string{"a", "b", "c"}, low, "3 series, want 1 or 2"},
		{[]string{"a"}, low, `panel "share": 2 series of values, 1 are named`},
		{series, Measure{Title: "short", Values: [][]float64{{1, 2, 3}, {1}}}, `panel "short": 1 values for 3 rows`},
	} {
		if _, err := Measures("m", rows, bad.series, bad.panel); err == nil || !strings.Contains(err.Error(), bad.want) {
			t.Errorf("have %v, want %q", err, bad.want)
		}
	}
}

func TestMeasureScales(t *testing.T) {
	a, b := Measure{Values: [][]float64{{0, 10, math.NaN()}}}, Measure{Values: [][]float64{{-5, math.Inf(1), 0}}}
	for _, tt := range []struct {
		m      Measure
		lo, hi float64
	}{
		{a, -0.6, 10.6}, // 6 % of the width on either side
		{b, -5.3, 0.3},
		{Measure{Values: [][]float64{{1, 1 + 4e-16}}}, 0.5, 1.5},
		{Measure{Values: [][]float64{{math.NaN()}}}, 0, 1},
		{Measure{Values: [][]float64{{50}}, Hi: 100}, 0, 100},
	} {
		if lo, hi := tt.m.scale(); math.Abs(lo-tt.lo) > 1e-9 || math.Abs(hi-tt.hi) > 1e-9 {
			t.Errorf("scale of %v is %g…%g, want %g…%g", tt.m.Values, lo, hi, tt.lo, tt.hi)
		}
	}
	if ShareScale(&a, &b); a.Lo != -5.3 || a.Hi != 10.6 || b.Lo != a.Lo || b.Hi != a.Hi {
		t.Errorf("shared: %g…%g and %g…%g", a.Lo, a.Hi, b.Lo, b.Hi)
	}
}

func TestScatters(t *testing.T) {
	space := datasets.Cityscapes19()
	road, car := color.NRGBA{128, 64, 128, 255}, color.NRGBA{0, 0, 142, 255}
	plane := Scatter{Name: "net", Points: []Point{{X: -1, Y: -1, Class: 0}, {X: 1, Y: 1, Class: 13, Target: true}}}
	picture, err := Scatters("features", space, plane)
	if err != nil {
		t.Fatal(err)
	}
	source := image.Rect(0, Density*plotHead, Density*scatterWidth, Density*(plotHead+scatterHeight-10))
	target := source.Add(image.Pt(Density*scatterWidth, 0))
	if holds(picture, source, car) || holds(picture, target, road) {
		t.Error("a domain's point is coloured in the other domain's panel")
	}
	// The axes are the same: a point and its shadow in the other panel are one
	// panel apart, for both points.
	centre := func(r image.Rectangle) image.Point { return r.Min.Add(r.Max).Div(2) }
	first := centre(box(picture, shadow, target)).Sub(centre(box(picture, road, source)))
	second := centre(box(picture, car, target)).Sub(centre(box(picture, shadow, source)))
	if d := first.Sub(second); !d.In(image.Rect(-3, -3, 4, 4)) || first.X < Density*(scatterWidth-20) || first.Y*first.Y > 9 {
		t.Errorf("from source to target the points move by %v and %v", first, second)
	}
	legend := image.Rect(0, Density*(plotHead+scatterHeight), picture.Bounds().Max.X, picture.Bounds().Max.Y)
	if !holds(picture, legend, road) || !holds(picture, legend, car) || holds(picture, legend, color.NRGBA{70, 130, 180, 255}) {
		t.Error("the legend is not that of road and car")
	}
	for want, points := range map[string][]Point{
		"no points":                nil,
		"a point lies at (NaN, 0)": {{X: math.NaN()}},
		"a point has class 19":     {{Class: 19}},
	} {
		if _, err := Scatters("s", space, Scatter{Points: points}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("have %v, want %q", err, want)
		}
	}
	if _, err := Scatters("s", space); err == nil {
		t.Error("no planes gave a picture")
	}
}

func TestHeat(t *testing.T) {
	nan := math.NaN()
	h := ClassHistory{Iterations: []float64{0, 10, 20}, Values: [][]float64{{1, 0, nan, 4, 2}, {1, 0, nan, 4, 2}, {1, 0, nan, 4, 4}}}
	picture, err := Heat(exporttest.FiveClasses(), "queries", h)
	if err != nil {
		t.Fatal(err)
	}
	x0 := picture.Bounds().Max.X/Density - heatWidth - 110
	at := func(class, column int) color.Color {
		return color.NRGBAModel.Convert(picture.At(Density*(x0+column*heatWidth/3+20), Density*(84+class*heatLine+5)))
	}
	dark, _ := shareColor(1)
	half, _ := shareColor(0.5)
	quarter, _ := shareColor(0.25)
	for _, tt := range []struct {
		class, column int
		want          color.NRGBA
	}{{0, 0, quarter}, {1, 0, paper}, {2, 2, grid}, {3, 1, dark}, {4, 0, half}, {4, 2, dark}} {
		if got := at(tt.class, tt.column); got != tt.want {
			t.Errorf("class %d, column %d is %v, want %v", tt.class, tt.column, got, tt.want)
		}
	}
	long := ClassHistory{}
	for i := range 1000 {
		long.Iterations, long.Values = append(long.Iterations, float64(i)), append(long.Values, []float64{float64(i % 2)})
	}
	for i, column := range long.binned(100) {
		if len(column) != 1 || column[0] != 0.5 {
			t.Fatalf("column %d averages to %v, want 0.5", i, column)
		}
	}
	for _, bad := range []ClassHistory{{}, {Iterations: []float64{1}, Values: [][]float64{{1}}}, {Iterations: []float64{1}, Values: [][]float64{{nan, nan, nan, nan, nan}}}} {
		if _, err := Heat(exporttest.FiveClasses(), "queries", bad); err == nil || !strings.Contains(err.Error(), `"queries"`) {
			t.Errorf("%v: error %v", bad, err)
		}
	}
}

func TestDecimal(t *testing.T) {
	for _, tt := range []struct {
		v, top float64
		want   string
	}{{0.0241, 0.141, "0.024"}, {0, 0.5, "0.000"}, {1.25, 9, "1.25"}, {2.5, 40, "2.5"}, {53.6, 311, "54"}, {4, 1e6, "4"}, {math.NaN(), 1, "–"}} {
		if got := decimal(tt.v, tt.top); got != tt.want {
			t.Errorf("%g of up to %g is %s, want %s", tt.v, tt.top, got, tt.want)
		}
	}
}

// TestDensity: charts have Density pixels per unit, and text of both densities
// is about as wide.
func TestDensity(t *testing.T) {
	c := newChart(30, 10)
	if c.Bounds() != image.Rect(0, 0, 30*Density, 10*Density) {
		t.Errorf("a chart of 30×10 units has %v pixels", c.Bounds().Size())
	}
	c.box(2, 3, 4, 5, bad)
	inside := image.Rect(2*Density, 3*Density, 6*Density, 8*Density)
	for y := range c.Bounds().Max.Y {
		for x := range c.Bounds().Max.X {
			if got := c.NRGBAAt(x, y) == bad; got != image.Pt(x, y).In(inside) {
				t.Fatalf("pixel (%d, %d) of the box: %v", x, y, got)
			}
		}
	}
	f := face(regularFont(), 16)
	plain, dense := font.MeasureString(f.plain, "vegetation").Ceil(), font.MeasureString(f.dense, "vegetation").Ceil()
	if math.Abs(float64(dense)/Density-float64(plain)) > 4 || textWidth(f, "vegetation") < plain {
		t.Errorf("%d pixels plain, %d dense, width %d", plain, dense, textWidth(f, "vegetation"))
	}
}

func TestWritePNGErrors(t *testing.T) {
	dir := t.TempDir()
	if err := raster.WritePNG(filepath.Join(dir, "none", "a.png"), image.NewGray(image.Rect(0, 0, 1, 1))); err == nil || !strings.Contains(err.Error(), "a.png") {
		t.Errorf("missing folder: %v", err)
	}
	path := filepath.Join(dir, "kept.png")
	if err := os.WriteFile(path, []byte("before"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := raster.WritePNG(path, image.NewGray(image.Rectangle{})); err == nil {
		t.Error("an empty picture was written")
	}
	if data, err := os.ReadFile(path); err != nil || string(data) != "before" {
		t.Errorf("the old file was lost: %q, %v", data, err)
	}
}

// TestSmallCurves: three of them fit a page, and a dashed line has gaps.
func TestSmallCurves(t *testing.T) {
	series := Series{Name: "level", X: []float64{0, 1}, Y: []float64{1, 1}}
	covered := func(s Series) int {
		drawn, err := Curves(CurvesOptions{Title: "Tone", X: "x", Y: "y", Small: true}, s)
		if err != nil {
			t.Fatal(err)
		}
		if size := drawn.Bounds().Size(); size != image.Pt(smallWidth, smallHead+smallHeight).Mul(Density) {
			t.Errorf("the picture has %v pixels", size)
		}
		n := 0
		for y := Density * smallHead; y < drawn.Bounds().Max.Y; y++ {
			for x := range drawn.Bounds().Max.X {
				if color.NRGBAModel.Convert(drawn.At(x, y)) == lineColors[0] {
					n++
				}
			}
		}
		return n
	}
	whole := covered(series)
	series.Dashed = true
	if dashes := covered(series); dashes == 0 || dashes > 3*whole/4 {
		t.Errorf("dashes cover %d pixels, the whole line %d", dashes, whole)
	}
}
