package translate

import (
	"math"
	"testing"

	"t2sda/internal/raster"
)

func TestKernelSizes(t *testing.T) {
	for _, c := range []struct {
		sigma  float64
		n      int
		radius int
	}{
		{1, 512, 4},   // ⌈4σ⌉
		{20, 512, 25}, // ⌈51.2⌉ = 52, odd below: 51
		{20, 1024, 51},
		{20, 64, 3}, // ⌈6.4⌉ = 7
		{20, 10, 1}, // at least 3 taps
		{0.1, 512, 1},
		{1, 1, 0}, // nothing to reflect
		{1, 2, 1},
	} {
		k := kernel(c.sigma, c.n)
		if len(k)-1 != c.radius {
			t.Errorf("σ = %v, %d pixels: radius %d, want %d", c.sigma, c.n, len(k)-1, c.radius)
		}
		sum := -float64(k[0])
		for i, w := range k {
			sum += 2 * float64(w)
			if want := float64(k[0]) * math.Exp(-float64(i*i)/(2*c.sigma*c.sigma)); math.Abs(float64(w)-want) > 1e-7 {
				t.Errorf("σ = %v: weight %d is %v, want %v", c.sigma, i, w, want)
			}
		}
		if math.Abs(sum-1) > 1e-6 {
			t.Errorf("σ = %v, %d pixels: sum %v", c.sigma, c.n, sum)
		}
	}
}

// One white pixel in the corner of a 3×3 image, kernel [b a b] on both axes:
// reflection repeats the second row and column, not the first, so the corner
// keeps a², its neighbours b·a, the diagonal b².
func TestBlurReflectsWithoutTheEdge(t *testing.T) {
	m := raster.NewImage(3, 3)
	m.Plane(1)[0] = 100
	BlurParams{Sigma: 0.8}.Apply(m)
	b := math.Exp(-1/(2*0.64)) / (1 + 2*math.Exp(-1/(2*0.64)))
	a := 1 - 2*b
	want := []float64{a * a, a * b, 0, a * b, b * b, 0, 0, 0, 0}
	for i, v := range m.Plane(1) {
		if math.Abs(float64(v)-100*want[i]) > 1e-4 {
			t.Errorf("pixel %d: %v, want %v", i, v, 100*want[i])
		}
	}
	// The second pixel is seen twice by the first one.
	m = raster.NewImage(3, 1)
	m.Plane(0)[1] = 100
	BlurParams{Sigma: 0.8}.Apply(m)
	for i, w := range []float64{2 * b, a, 2 * b} {
		if math.Abs(float64(m.Plane(0)[i])-100*w) > 1e-4 {
			t.Errorf("pixel %d: %v, want %v", i, m.Plane(0)[i], 100*w)
		}
	}
}

// The separable form against the definition, with long kernels and odd sizes.
func TestBlurAgainstTheDefinition(t *testing.T) {
	const w, h = 61, 43
	for _, sigma := range []float64{0.15, 0.7, 1.15, 2, 9} {
		in := scene(3, w, h)
		got := in.Clone()
		BlurParams{Sigma: sigma}.Apply(got)
		kx, ky := kernel(sigma, w), kernel(sigma, h)
		rx, ry := len(kx)-1, len(ky)-1
		for y := range h {
			for x := range w {
				var want float64
				for dy := -ry; dy <= ry; dy++ {
					for dx := -rx; dx <= rx; dx++ {
						want += float64(ky[max(dy, -dy)]) * float64(kx[max(dx, -dx)]) * float64(in.Plane(2)[reflect(y+dy, h)*w+reflect(x+dx, w)])
					}
				}
				if d := math.Abs(float64(got.Plane(2)[y*w+x]) - want); d > 1e-3 {
					t.Fatalf("σ = %v, (%d,%d): %g off", sigma, x, y, d)
				}
			}
		}
	}
}

func TestBlurKeepsConstantsAndTheMean(t *testing.T) {
	flat := raster.NewImage(50, 40)
	for i := range flat.Pix {
		flat.Pix[i] = 123.25
	}
	got := flat.Clone()
	BlurParams{Sigma: 1.7}.Apply(got)
	if d := farthest(got, flat); d > 1e-4 {
		t.Errorf("a constant moved by %g", d)
	}
	inner := raster.NewImage(50, 40) // black rim as wide as the kernel: no light leaves the frame
	for y := 8; y < 32; y++ {
		for x := 8; x < 42; x++ {
			inner.Plane(0)[y*50+x] = float32((x*y*7)%200 + 50)
		}
	}
	got = inner.Clone()
	BlurParams{Sigma: 1.7}.Apply(got)
	if a, b := mean(inner.Plane(0)), mean(got.Plane(0)); math.Abs(a-b) > 1e-3 {
		t.Errorf("the mean moved from %v to %v", a, b)
	}
	if farthest(got, inner) < 5 {
		t.Error("nothing was blurred")
	}
}

func BenchmarkBlur(b *testing.B) {
	m := scene(1, benchW, benchH)
	for b.Loop() {
		BlurParams{Sigma: 1.15}.Apply(m)
	}
}

func BenchmarkJitter(b *testing.B) {
	m := scene(1, benchW, benchH)
	p := JitterParams{On: true, Order: [4]JitterOp{Brightness, Contrast, Saturation, Hue}, Brightness: 1.1, Contrast: 0.9, Saturation: 1.1, Hue: 0.05}
	for b.Loop() {
		p.Apply(m)
	}
}
