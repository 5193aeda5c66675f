package translate

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"t2sda/internal/raster"
)

// pixels returns a one-row image of the given RGB triples.
func pixels(rgb ...[3]float32) *raster.Image {
	m := raster.NewImage(len(rgb), 1)
	for i, p := range rgb {
		for c, v := range p {
			m.Plane(c)[i] = v
		}
	}
	return m
}

func TestJitterByHand(t *testing.T) {
	// gray(100, 200, 50) = 29.89 + 117.4 + 5.7 = 152.99; gray(0, 0, 0) = 0.
	in := [][3]float32{{100, 200, 50}, {0, 0, 0}}
	for _, c := range []struct {
		name string
		p    JitterParams
		want [][3]float32
	}{
		{"off", JitterParams{Brightness: 3}, in},
		{"neutral", JitterParams{On: true, Brightness: 1, Contrast: 1, Saturation: 1}, in},
		{"brightness", JitterParams{On: true, Brightness: 1.5}, [][3]float32{{150, 255, 75}, {0, 0, 0}}},
		// the mean gray is 76.495; half of it comes in
		{"contrast", JitterParams{On: true, Contrast: 0.5}, [][3]float32{{88.2475, 138.2475, 63.2475}, {38.2475, 38.2475, 38.2475}}},
		{"contrast up", JitterParams{On: true, Contrast: 2}, [][3]float32{{123.505, 255, 23.505}, {0, 0, 0}}},
		{"saturation", JitterParams{On: true, Saturation: 0.5}, [][3]float32{{126.495, 176.495, 101.495}, {0, 0, 0}}},
		// a third of a turn moves the channels round: R→G→B→R
		{"hue", JitterParams{On: true, Hue: 1. / 3}, [][3]float32{{50, 100, 200}, {0, 0, 0}}},
		// (100,200,50) is at 100°, 280° is the same chroma with R and G's roles mirrored
		{"hue half", JitterParams{On: true, Hue: 0.5}, [][3]float32{{150, 50, 200}, {0, 0, 0}}},
	} {
		p := c.p
		// Neutral factors for what the case does not name.
		for _, f := range []*float32{&p.Brightness, &p.Contrast, &p.Saturation} {
			if *f == 0 {
				*f = 1
			}
		}
		p.Order = [4]JitterOp{Saturation, Hue, Brightness, Contrast}
		got, want := pixels(in...), pixels(c.want...)
		p.Apply(got)
		if d := farthest(got, want); d > 1e-3 {
			t.Errorf("%s: %v, want %v", c.name, got.Pix, want.Pix)
		}
	}
}

func TestJitterOrderMatters(t *testing.T) {
	p := JitterParams{On: true, Brightness: 2, Contrast: 0.5, Saturation: 1, Order: [4]JitterOp{Brightness, Contrast, Saturation, Hue}}
	a, b := pixels([3]float32{200, 200, 200}, [3]float32{0, 0, 0}), pixels([3]float32{200, 200, 200}, [3]float32{0, 0, 0})
	p.Apply(a) // 255 and 0, mean 127.5·0.9999 → 191.24 and 63.74
	p.Order = [4]JitterOp{Contrast, Hue, Saturation, Brightness}
	p.Apply(b) // 149.995 and 49.995 → 255 and 99.99
	if d := farthest(a, pixels([3]float32{191.244, 191.244, 191.244}, [3]float32{63.744, 63.744, 63.744})); d > 0.01 {
		t.Errorf("brightness first: %v", a.Pix)
	}
	if d := farthest(b, pixels([3]float32{255, 255, 255}, [3]float32{99.99, 99.99, 99.99})); d > 0.01 {
		t.Errorf("contrast first: %v", b.Pix)
	}
}

func TestHueRoundTrip(t *testing.T) {
	m := scene(1, 40, 30)
	copy(m.Pix[:4], []float32{0, 255, 128, 128})
	for _, turns := range []float32{0.01, 0.2, 1. / 6, 0.5, -0.37} {
		got := m.Clone()
		adjustHue(got, turns)
		if farthest(got, m) < 1 {
			t.Errorf("%v turns: nothing happened", turns)
		}
		adjustHue(got, -turns)
		if d := farthest(got, m); d > 1e-3 {
			t.Errorf("%v turns and back: %g off", turns, d)
		}
	}
	full := m.Clone()
	for range 6 {
		adjustHue(full, 1./6)
	}
	if d := farthest(full, m); d > 1e-3 {
		t.Errorf("six sixths of a turn: %g off", d)
	}
}

// The hue formula against the plain way: RGB → HSV, add, → RGB by sextants.
func TestHueAgainstSextants(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		in := [3]float64{255 * r.Float64(), 255 * r.Float64(), 255 * r.Float64()}
		turns := r.Float64() - 0.5
		m := pixels([3]float32{float32(in[0]), float32(in[1]), float32(in[2])})
		adjustHue(m, float32(turns))
		want := hueBySextants(in, turns)
		for c := range 3 {
			if math.Abs(float64(m.Plane(c)[0])-want[c]) > 2e-3 {
				t.Fatalf("%v by %v: %v, want %v", in, turns, m.Pix, want)
			}
		}
	}
}

func hueBySextants(p [3]float64, turns float64) [3]float64 {
	v, lo := slices.Max(p[:]), slices.Min(p[:])
	d := v - lo
	var h float64
	switch v {
	case p[0]:
		h = math.Mod((p[1]-p[2])/d+6, 6)
	case p[1]:
		h = (p[2]-p[0])/d + 2
	case p[2]:
		h = (p[0]-p[1])/d + 4
	}
	h = math.Mod(h+6*turns+6, 6)
	s, f := d/v, h-math.Floor(h)
	a, b, c := v*(1-s), v*(1-s*f), v*(1-s*(1-f))
	return [6][3]float64{{v, c, a}, {b, v, a}, {a, v, c}, {a, b, v}, {c, a, v}, {v, a, b}}[int(h)]
}

func TestJitterDraws(t *testing.T) {
	j := ColorJitter{Probability: 0.8, Brightness: 0.2, Contrast: 1.5, Saturation: 0, Hue: 0.2}
	r := rand.New(rand.NewPCG(1, 1))
	const n = 20000
	on, orders := 0, map[[4]JitterOp]int{}
	lo, hi := [3]float32{9, 9, 9}, [3]float32{-9, -9, -9}
	for range n {
		p := j.Draw(r)
		if p.On {
			on++
		}
		orders[p.Order]++
		for i, v := range []float32{p.Brightness, p.Contrast, p.Hue} {
			lo[i], hi[i] = min(lo[i], v), max(hi[i], v)
		}
		if p.Saturation != 1 {
			t.Fatalf("saturation factor %v at strength 0", p.Saturation)
		}
	}
	if share := float64(on) / n; math.Abs(share-0.8) > 0.01 {
		t.Errorf("applied in %v of the draws, want 0.8", share)
	}
	for i, want := range [][2]float32{{0.8, 1.2}, {0, 2.5}, {-0.2, 0.2}} {
		if lo[i] < want[0] || hi[i] > want[1] || lo[i] > want[0]+0.01 || hi[i] < want[1]-0.01 {
			t.Errorf("parameter %d drawn from [%v, %v], want %v", i, lo[i], hi[i], want)
		}
	}
	if len(orders) != 24 {
		t.Errorf("%d orders, want 24", len(orders))
	}
	for o, k := range orders {
		if math.Abs(float64(k)-n/24.) > 6*math.Sqrt(n/24.) {
			t.Errorf("order %v drawn %d times of %d", o, k, n)
		}
	}
}

func TestValidateNamesTheField(t *testing.T) {
	ok := SimCLRJitter(1)
	for want, v := range map[string]interface{ Validate() error }{
		"jitter.hue: 0.6":           ColorJitter{Hue: 0.6},
		"jitter.contrast: -1":       ColorJitter{Contrast: -1},
		"jitter.probability: 2":     ColorJitter{Probability: 2},
		"jitter.brightness: NaN":    ColorJitter{Brightness: math.NaN()},
		"jitter.saturation: +Inf":   ColorJitter{Saturation: math.Inf(1)},
		"blur.sigma_min: 0":         GaussianBlur{},
		"blur.sigma_max: 1":         GaussianBlur{SigmaMin: 2, SigmaMax: 1},
		"blur.probability: -0.1":    GaussianBlur{Probability: -0.1, SigmaMin: 1, SigmaMax: 1},
		"blur.sigma_min: -3":        StrongAugment{Jitter: ok, Blur: GaussianBlur{SigmaMin: -3}},
		"jitter.hue: -0.1":          StrongAugment{Jitter: ColorJitter{Hue: -0.1}},
		"folder: the engine folder": Folder{},
		"folder: stat nowhere":      Folder{Root: "nowhere"},
		"engine.go is not a folder": Folder{Root: "engine.go"},
	} {
		if err := v.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	if err := DefaultStrongAugment().Validate(); err != nil {
		t.Error(err)
	}
}
