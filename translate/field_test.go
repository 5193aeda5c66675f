package translate

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func noisy(seed uint64, w, h int) *field {
	r := rand.New(rand.NewPCG(seed, 3))
	f := newField(w, h)
	for i := range f.v {
		f.v[i] = r.Float32()
	}
	return f
}

func near(a, b, tolerance float64) bool { return math.Abs(a-b) <= tolerance }

func TestShrunkByHand(t *testing.T) {
	f := &field{5, 3, []float32{
		1, 3, 5, 7, 9,
		2, 4, 6, 8, 10,
		10, 20, 30, 40, 50,
	}}
	got := f.shrunk(2)
	if want := []float32{2.5, 6.5, 9.5, 15, 35, 50}; got.w != 3 || got.h != 2 || !slices.Equal(got.v, want) {
		t.Errorf("%d×%d: %v, want %v", got.w, got.h, got.v, want)
	}
}

func TestBoxAgainstTheDefinition(t *testing.T) {
	for _, radius := range []int{0, 1, 4, 30} {
		f := noisy(1, 23, 11)
		got := f.box(radius)
		for y := range f.h {
			for x := range f.w {
				sum, n := 0.0, 0.0
				for v := max(y-radius, 0); v <= min(y+radius, f.h-1); v++ {
					for u := max(x-radius, 0); u <= min(x+radius, f.w-1); u++ {
						sum, n = sum+float64(f.v[v*f.w+u]), n+1
					}
				}
				if v := got.v[y*f.w+x]; !near(float64(v), sum/n, 1e-6) {
					t.Fatalf("radius %d at (%d,%d): %v, want %v", radius, x, y, v, sum/n)
				}
			}
		}
	}
}

// Between the centres of small pixels values are those of the plane through them.
func TestEnlargerKeepsPlanes(t *testing.T) {
	small := newField(6, 4)
	for i := range small.v {
		small.v[i] = float32(3*(i%6) - 2*(i/6) + 1)
	}
	const k = 5
	row := make([]float32, k*small.w)
	e := newEnlarger(small, k*small.w, k*small.h, false)
	for y := k; y < k*(small.h-1); y++ {
		e.row(row, y)
		for x := k; x < k*(small.w-1); x++ {
			want := 3*((float64(x)+0.5)/k-0.5) - 2*((float64(y)+0.5)/k-0.5) + 1
			if !near(float64(row[x]), want, 1e-4) {
				t.Fatalf("(%d,%d): %v, want %v", x, y, row[x], want)
			}
		}
	}
}

// TestClouds: values fill much of 0–1 around 1/2, and neighbours resemble each other.
func TestClouds(t *testing.T) {
	for _, c := range []struct{ w, h int }{{200, 100}, {1, 1}, {3, 200}} {
		f := clouds(rand.New(rand.NewPCG(1, 1)), c.w, c.h, float64(c.h)/5, 4)
		sum, step := 0.0, 0.0
		for i, v := range f.v {
			if !(v >= 0 && v <= 1) {
				t.Fatalf("%v: value %v", c, v)
			}
			sum += float64(v)
			if i > 0 {
				step += math.Abs(float64(v - f.v[i-1]))
			}
		}
		if n := float64(len(f.v)); n > 1000 && (!near(sum/n, 0.5, 0.1) || step/n > 0.05 || slices.Max(f.v)-slices.Min(f.v) < 0.4) {
			t.Errorf("mean %v, mean step %v, from %v to %v", sum/n, step/n, slices.Min(f.v), slices.Max(f.v))
		}
	}
}

// A quantity that is a line over the guide comes back exactly, at full size: fits are
// exact and shrinking is linear.
func TestGuidedKeepsLines(t *testing.T) {
	guide := noisy(2, 32, 16)
	p := guide.shrunk(4)
	for i, v := range p.v {
		p.v[i] = 3 - 2*v
	}
	got := guided(guide, p, 4, 2, 0)
	for i, v := range got.v {
		if want := 3 - 2*guide.v[i]; !near(float64(v), float64(want), 1e-3) {
			t.Fatalf("pixel %d: %v, want %v", i, v, want)
		}
	}
}

// In flat parts the quantity is smoothed, and does not cross the guide's edge.
func TestGuidedKeepsEdges(t *testing.T) {
	guide, p := newField(40, 20), newField(40, 20)
	for i := range guide.v {
		if i%40 >= 20 {
			guide.v[i], p.v[i] = 1, 0.8
		}
	}
	got := guided(guide, p, 1, 3, 1e-4)
	if l, r := got.v[10*40+19], got.v[10*40+20]; !near(float64(l), 0, 0.01) || !near(float64(r), 0.8, 0.01) {
		t.Errorf("beside the edge: %v and %v", l, r)
	}
}
