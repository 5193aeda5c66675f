package translate

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"t2sda/internal/raster"
)

// road is a picture of a street as plain as can be: a bright sky, dark walls, a grey
// road.
func road(w, h int) *raster.Image {
	m := raster.NewImage(w, h)
	for c, sky := range []float32{150, 180, 230} {
		plane := m.Plane(c)
		for i := range plane {
			x, y := float64(i%w)/float64(w), float64(i/w)/float64(h)
			switch {
			case y > 0.45+0.3*math.Abs(x-0.5):
				plane[i] = 95
			case y < 0.42-0.6*math.Abs(x-0.5):
				plane[i] = sky
			default:
				plane[i] = 60
			}
		}
	}
	return m
}

func weatherAt(kind string, severity float64) Weather {
	return Weather{Kinds: []string{kind}, SeverityMin: severity, SeverityMax: severity}
}

// change is the mean absolute difference of two images in a rectangle, in shares of
// their sides.
func change(a, b *raster.Image, x0, y0, x1, y1 float64) float64 {
	sum, n := 0.0, 0
	for i := range a.Plane(0) {
		x, y := float64(i%a.W)/float64(a.W), float64(i/a.W)/float64(a.H)
		if x < x0 || x >= x1 || y < y0 || y >= y1 {
			continue
		}
		for c := range 3 {
			sum += math.Abs(float64(a.Plane(c)[i] - b.Plane(c)[i]))
			n++
		}
	}
	return sum / float64(n)
}

// Each kind keeps its source and the range of values, follows the generator, and
// changes more the more severe it is.
func TestWeatherKinds(t *testing.T) {
	source := road(192, 96)
	before := source.Clone()
	for _, kind := range WeatherKinds() {
		last := 0.0
		for severity := 1.0; severity <= 5; severity += 2 {
			e := weatherAt(kind, severity)
			a, b := mustTranslate(t, e, source, nil), mustTranslate(t, e, source, nil)
			if !slices.Equal(a.Pix, b.Pix) || !slices.Equal(source.Pix, before.Pix) {
				t.Fatalf("%s: results of equal generators differ, or the source was modified", kind)
			}
			other, err := e.Translate(rand.New(rand.NewPCG(77, 1)), source, nil)
			if err != nil || slices.Equal(other.Pix, a.Pix) != (kind == "brightness") {
				t.Errorf("%s %v: another generator gives the same: %t, %v", kind, severity, err == nil, err)
			}
			if d := change(a, source, 0, 0, 1, 1); d < last+2 {
				t.Errorf("%s: severity %v changes by %v, two less by %v", kind, severity, d, last)
			} else {
				last = d
			}
			for _, v := range a.Pix {
				if !(v >= 0 && v <= 255) {
					t.Fatalf("%s: value %v", kind, v)
				}
			}
		}
	}
}

// TestWeatherOfAnySize: no picture is too small or too narrow.
func TestWeatherOfAnySize(t *testing.T) {
	for _, size := range [][2]int{{1, 1}, {2, 1}, {1, 40}, {300, 2}, {33, 17}} {
		for _, e := range []Engine{weatherAt("fog", 5), weatherAt("frost", 5), weatherAt("rain", 5), weatherAt("snow", 5), weatherAt("brightness", 5), Cartoon{}} {
			out := mustTranslate(t, e, scene(1, size[0], size[1]), nil)
			for _, v := range out.Pix {
				if !(v >= 0 && v <= 255) {
					t.Fatalf("%v %+v: value %v", size, e, v)
				}
			}
		}
	}
}

// TestWeatherDraws: kinds are drawn evenly, severities within their bounds.
func TestWeatherDraws(t *testing.T) {
	source := road(64, 32)
	whole := mustTranslate(t, weatherAt("brightness", 3), source, nil)
	e := Weather{Kinds: []string{"brightness", "fog"}, SeverityMin: 3, SeverityMax: 3}
	bright := 0
	for seed := range uint64(300) {
		out, err := e.Translate(rand.New(rand.NewPCG(seed, 4)), source, nil)
		if err != nil {
			t.Fatal(err)
		}
		if slices.Equal(out.Pix, whole.Pix) {
			bright++
		}
	}
	if bright < 120 || bright > 180 {
		t.Errorf("%d of 300 images got one of two kinds", bright)
	}
	mild, worst := mustTranslate(t, weatherAt("brightness", 1), source, nil), mustTranslate(t, weatherAt("brightness", 5), source, nil)
	lo, hi := float32(math.Inf(1)), float32(0)
	for seed := range uint64(100) {
		out, err := Weather{Kinds: []string{"brightness"}, SeverityMin: 1, SeverityMax: 5}.Translate(rand.New(rand.NewPCG(seed, 4)), source, nil)
		if err != nil {
			t.Fatal(err)
		}
		lo, hi = min(lo, out.Pix[0]), max(hi, out.Pix[0])
	}
	if lo < mild.Pix[0] || hi > worst.Pix[0] || hi-lo < 0.9*(worst.Pix[0]-mild.Pix[0]) {
		t.Errorf("brightness from %v to %v, want most of %v to %v", lo, hi, mild.Pix[0], worst.Pix[0])
	}
}

func TestWeatherRefuses(t *testing.T) {
	for want, e := range map[string]Weather{
		`weather.kinds: "sleet" is unknown; there are brightness, fog, frost, rain, snow`: {Kinds: []string{"fog", "sleet"}, SeverityMin: 1, SeverityMax: 5},
		"weather.severity_min: 0 is outside of [1, 5]":                                    {SeverityMax: 5},
		"weather.severity_max: 6 is outside of [2, 5]":                                    {SeverityMin: 2, SeverityMax: 6},
		"weather.severity_max: NaN":                                                       {SeverityMin: 2, SeverityMax: math.NaN()},
	} {
		_, err := New(Options{Engine: EngineWeather, Weather: e})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %s", err, want)
		}
		if _, err := e.Translate(nil, road(8, 8), nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("translating: error %v, want %s", err, want)
		}
	}
}

// TestFogThickensWithDistance: the end of the street and the sky turn to air before
// the road in front of the camera does.
func TestFogThickensWithDistance(t *testing.T) {
	source := road(256, 128)
	out := mustTranslate(t, weatherAt("fog", 3), source, nil)
	air := airOf(source, 1)
	to := func(x, y float64) float64 { // share of the way to the air
		i := int(y*128)*256 + int(x*256)
		return float64((out.Plane(0)[i] - source.Plane(0)[i]) / (air[0] - source.Plane(0)[i]))
	}
	end := 0.0
	for y := 0.42; y < 0.5; y += 0.005 {
		end = max(end, to(0.5, y))
	}
	near, wall := to(0.5, 0.95), to(0.02, 0.4)
	if end < 0.8 || near > 0.3 || wall > 0.8*end || wall < near {
		t.Errorf("to the air: %v at the street's end, %v in front, %v at the wall", end, near, wall)
	}
	if sky := to(0.5, 0.05); sky < 0.9 {
		t.Errorf("to the air: %v of the sky", sky)
	}
}

// TestHazeByKoschmieder: behind haze every value lies between what it was and the
// air, and a picture of the air's colour stays as it is.
func TestHazeByKoschmieder(t *testing.T) {
	z := haze{visibility: 50, air: [3]float32{200, 205, 210}, patches: 0.3}
	source := scene(4, 90, 60)
	out := source.Clone()
	z.apply(rand.New(rand.NewPCG(1, 2)), out)
	for c := range 3 {
		for i, v := range out.Plane(c) {
			a, b := source.Plane(c)[i], z.air[c]
			if v < min(a, b)-1e-3 || v > max(a, b)+1e-3 {
				t.Fatalf("channel %d: %v is not between %v and %v", c, v, a, b)
			}
		}
	}
	flat := pixelsOf(z.air, 40, 30)
	z.apply(rand.New(rand.NewPCG(1, 2)), flat)
	for i, v := range flat.Pix {
		if want := z.air[i/(40*30)]; !near(float64(v), float64(want), 1e-3) {
			t.Fatalf("air became %v of %v", v, want)
		}
	}
}

// pixelsOf is an image of one colour.
func pixelsOf(colour [3]float32, w, h int) *raster.Image {
	m := raster.NewImage(w, h)
	for c, v := range colour {
		for i := range m.Plane(c) {
			m.Plane(c)[i] = v
		}
	}
	return m
}

// TestRainStreaks: on a grey wall rain differs more across its fall than along it,
// which white noise does not, and it lightens.
func TestRainStreaks(t *testing.T) {
	f := newField(256, 256)
	for _, p := range drops {
		p.scatter(rand.New(rand.NewPCG(2, 2)), f, 0, 1)
	}
	along, across, covered := 0.0, 0.0, 0.0
	for i := 257; i < len(f.v); i++ {
		along += math.Abs(float64(f.v[i] - f.v[i-256]))
		across += math.Abs(float64(f.v[i] - f.v[i-1]))
		covered += float64(f.v[i])
	}
	if across < 3*along {
		t.Errorf("rain differs by %v across its fall and %v along it", across, along)
	}
	if share := covered / float64(len(f.v)); share < 0.02 || share > 0.3 {
		t.Errorf("rain covers %v", share)
	}
}

// TestFrostGrowsFromTheRim: the middle stays clear while the rim is under ice.
func TestFrostGrowsFromTheRim(t *testing.T) {
	source := scene(3, 256, 128)
	out := mustTranslate(t, weatherAt("frost", 2), source, nil)
	middle, rim := change(out, source, 0.4, 0.4, 0.6, 0.6), change(out, source, 0, 0, 0.05, 1)
	if middle > 1 || rim < 10 {
		t.Errorf("frost changes the middle by %v and the left rim by %v", middle, rim)
	}
}

// TestBrightnessByHand: at severity 1 the gain is 1.5, at half of the range 1.5/1.25.
func TestBrightnessByHand(t *testing.T) {
	m := pixels([3]float32{127.5, 51, 0}, [3]float32{0, 0, 0}, [3]float32{255, 255, 255})
	out := mustTranslate(t, weatherAt("brightness", 1), m, nil)
	want := pixels([3]float32{153, 61.2, 0}, [3]float32{0, 0, 0}, [3]float32{255, 255, 255})
	if d := farthest(out, want); d > 1e-3 {
		t.Errorf("have %v, want %v", out.Pix, want.Pix)
	}
}

func BenchmarkWeather(b *testing.B) {
	source := scene(1, benchW, benchH)
	for _, kind := range WeatherKinds() {
		for _, severity := range []float64{1, 5} {
			b.Run(fmt.Sprintf("%s/%v", kind, severity), func(b *testing.B) {
				for b.Loop() {
					mustTranslate(b, weatherAt(kind, severity), source, nil)
				}
			})
		}
	}
}

func BenchmarkCartoon(b *testing.B) {
	source := scene(1, benchW, benchH)
	for b.Loop() {
		mustTranslate(b, Cartoon{}, source, nil)
	}
}
