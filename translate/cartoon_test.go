package translate

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"t2sda/internal/raster"
)

// TestFlattenByHand: one pass over two pixels that differ by 30 in one channel.
// σ_H of a single pass is σ_s, so the feedback is e^(−√2/σ_s·(1 + σ_s/σ_r·30)).
func TestFlattenByHand(t *testing.T) {
	m := pixels([3]float32{10, 50, 50}, [3]float32{40, 50, 50})
	const sigmaS, sigmaR = 4.0, 60.0
	a := math.Exp(-math.Sqrt2 / sigmaS * (1 + sigmaS/sigmaR*30))
	right := 40 + a*(10-40)
	left := 10 + a*(right-10)
	flatten(m, sigmaS, sigmaR, 1)
	want := pixels([3]float32{float32(left), 50, 50}, [3]float32{float32(right), 50, 50})
	if d := farthest(m, want); d > 1e-3 {
		t.Errorf("have %v, want %v", m.Pix, want.Pix)
	}
}

// TestFlattenKeepsEdges: noise goes, an edge stays.
func TestFlattenKeepsEdges(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	m := raster.NewImage(60, 40)
	for i := range m.Pix {
		m.Pix[i] = 60 + 6*float32(r.NormFloat64())
		if i%60 >= 30 {
			m.Pix[i] += 120
		}
	}
	before := m.Clone()
	flatten(m, 20, 60, 3)
	spread := func(m *raster.Image) float64 {
		row := m.Plane(1)[20*60 : 20*60+28]
		return float64(slices.Max(row) - slices.Min(row))
	}
	if s := spread(m); s > spread(before)/4 {
		t.Errorf("values of a flat part span %v, before %v", s, spread(before))
	}
	if edge := m.Plane(1)[20*60+30] - m.Plane(1)[20*60+29]; edge < 100 {
		t.Errorf("an edge of 120 is one of %v", edge)
	}
}

// TestPosteriseByHand: with 5 levels of 51, their centres stay and what lies between
// two of them is drawn to one.
func TestPosteriseByHand(t *testing.T) {
	for _, c := range []struct{ from, want float64 }{
		{76.5, 76.5},
		{60, 76.5 - 25.5*math.Tanh(0.25*16.5)},
		{100, 76.5 + 25.5*math.Tanh(0.25*23.5)},
		{178, 178.5 - 25.5*math.Tanh(0.125)},
	} {
		v := float32(c.from)
		m := pixels([3]float32{v, v, v})
		posterise(m, 5)
		if !near(float64(m.Pix[0]), c.want, 0.3) { // factors are those of whole levels, interpolated
			t.Errorf("%v became %v, want %v", c.from, m.Pix[0], c.want)
		}
	}
}

// TestOutlines: lines lie on the dark side of an edge, and nowhere else.
func TestOutlines(t *testing.T) {
	l := newField(80, 80)
	for i := range l.v {
		l.v[i] = 60
		if i%80 >= 40 {
			l.v[i] = 200
		}
	}
	ink := outlines(l, 1)
	row := ink.v[40*80 : 41*80]
	if row[38] < 0.9 || row[39] < 0.9 || row[40] > 0 || row[42] > 0 || row[10] > 0 || row[70] > 0 {
		t.Errorf("lines %v", row)
	}
}

// TestLift: a dark picture gets a drawing's light, a bright one keeps its own.
func TestLift(t *testing.T) {
	dark, bright := pixelsOf([3]float32{60, 60, 60}, 4, 4), pixelsOf([3]float32{140, 140, 140}, 4, 4)
	lift(dark)
	lift(bright)
	if v := dark.Pix[0]; !near(float64(v), 255*math.Pow(60.0/255, 0.55037), 0.5) { // ln(115/255)/ln(60/255)
		t.Errorf("60 became %v", v)
	}
	if bright.Pix[0] != 140 {
		t.Errorf("140 became %v", bright.Pix[0])
	}
}

// TestCartoon: drawings follow the generator, keep what is drawn where it is, and have
// less in them than photographs.
func TestCartoon(t *testing.T) {
	source := scene(1, 96, 64)
	before := source.Clone()
	a, b := mustTranslate(t, Cartoon{}, source, nil), mustTranslate(t, Cartoon{}, source, nil)
	if !slices.Equal(a.Pix, b.Pix) || !slices.Equal(source.Pix, before.Pix) {
		t.Fatal("results of equal generators differ, or the source was modified")
	}
	other, err := Cartoon{}.Translate(rand.New(rand.NewPCG(9, 9)), source, nil)
	if err != nil || slices.Equal(other.Pix, a.Pix) {
		t.Errorf("another generator draws the same, %v", err)
	}
	flat := mustTranslate(t, Cartoon{}, pixelsOf([3]float32{150, 120, 130}, 40, 30), nil)
	for c := range 3 {
		if p := flat.Plane(c); slices.Max(p)-slices.Min(p) > 0.01 {
			t.Errorf("a wall of one colour is drawn from %v to %v", slices.Min(p), slices.Max(p))
		}
	}
}
