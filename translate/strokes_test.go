package translate

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestStrokeByHand: a horizontal line of σ = 2 px and opacity 1/2.
func TestStrokeByHand(t *testing.T) {
	f := newField(41, 21)
	s := stroke{x0: 5, y0: 10, x1: 35, y1: 10, sigma: 2, opacity: 0.5}
	f.cover(s)
	for _, c := range []struct {
		x, y int
		want float64
	}{
		{20, 10, 0.5},
		{20, 12, 0.5 * math.Exp(-0.5)},
		{20, 6, 0.5 * math.Exp(-2)},
		{20, 16, 0}, // beyond 2.5 σ
		{3, 10, 0.5 * math.Exp(-0.5)},
		{0, 10, 0.5 * math.Exp(-25.0/8)},
	} {
		if got := f.v[c.y*f.w+c.x]; !near(float64(got), c.want, 0.004) {
			t.Errorf("(%d,%d): %v, want %v", c.x, c.y, got, c.want)
		}
	}
	f.cover(s)
	if got := f.v[10*f.w+20]; !near(float64(got), 0.75, 1e-6) {
		t.Errorf("two films of 1/2 cover %v", got)
	}
}

func TestStrokeTapers(t *testing.T) {
	f := newField(41, 21)
	f.cover(stroke{x0: 20, y0: 0, x1: 20, y1: 20, sigma: 2, opacity: 1, taper: 0.5})
	for y, want := range map[int]float64{0: 0, 5: 0.5, 10: 1, 15: 0.5, 20: 0} {
		if got := f.v[y*f.w+20]; !near(float64(got), want, 1e-6) {
			t.Errorf("row %d: %v, want %v", y, got, want)
		}
	}
}

// Strokes of any place and direction cover what evaluating every pixel says, those
// outside of the picture, points and specks, too.
func TestStrokeAgainstTheDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	for n := range 300 {
		f := newField(30, 20)
		s := stroke{x0: 50*r.Float64() - 10, y0: 40*r.Float64() - 10, sigma: 0.3 + 3*r.Float64(), opacity: 0.8}
		s.x1, s.y1 = s.x0, s.y0
		if n%10 > 0 {
			s.x1, s.y1 = s.x0+20*r.Float64()-10, s.y0+20*r.Float64()-10
		}
		if n%7 == 0 {
			s.y1 = s.y0 // flat
		}
		f.cover(s)
		for i, got := range f.v {
			x, y := float64(i%f.w), float64(i/f.w)
			dx, dy := s.x1-s.x0, s.y1-s.y0
			u := 0.0
			if l2 := dx*dx + dy*dy; l2 > 0 {
				u = min(max(((x-s.x0)*dx+(y-s.y0)*dy)/l2, 0), 1)
			}
			d := math.Hypot(x-s.x0-u*dx, y-s.y0-u*dy)
			want := 0.8 * math.Exp(-d*d/(2*s.sigma*s.sigma))
			if d > 2.5*s.sigma {
				want = 0
			}
			if !near(float64(got), want, 0.01) && !near(d, 2.5*s.sigma, 1e-6) {
				t.Fatalf("stroke %d, %+v, at (%v,%v): %v, want %v", n, s, x, y, got, want)
			}
		}
	}
}
