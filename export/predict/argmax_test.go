package predict

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"t2sda/internal/pad"
	"t2sda/internal/raster"
)

// naiveArgmaxAt interpolates every class at every pixel.
func naiveArgmaxAt(m logitMap, w, h int) []uint8 {
	out := make([]uint8, w*h)
	rows, columns := taps(m.h, float64(m.h), h), taps(m.w, float64(m.w), w)
	for y, r := range rows {
		for x, c := range columns {
			best := float32(math.Inf(-1))
			for k := range m.c {
				plane := m.pix[k*m.h*m.w:]
				v := c.mix(r.mix(plane[r.lo*m.w+c.lo], plane[r.hi*m.w+c.lo]), r.mix(plane[r.lo*m.w+c.hi], plane[r.hi*m.w+c.hi]))
				if v > best {
					best, out[y*w+x] = v, uint8(k)
				}
			}
		}
	}
	return out
}

// smoothLogits draws logits whose classes form regions, with a few exact ties.
func smoothLogits(r *rand.Rand, c, h, w int) logitMap {
	m := logitMap{c: c, h: h, w: w, pix: make([]float32, c*h*w)}
	for k := range c {
		fx, fy, phase := r.Float64(), r.Float64(), 6*r.Float64()
		for y := range h {
			for x := range w {
				v := math.Sin(fx*float64(x)+fy*float64(y)+phase) + 0.1*r.NormFloat64()
				m.pix[(k*h+y)*w+x] = float32(math.Round(64*v) / 64)
			}
		}
	}
	return m
}

func TestArgmaxAtEqualsFullInterpolation(t *testing.T) {
	const seed = 3
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, seed))
	m, holes := smoothLogits(r, 7, 13, 17), smoothLogits(r, 19, 13, 17)
	for i := 13 * 17; i < len(holes.pix); i++ { // not of class 0, which stands for all where there is nothing to compare
		switch r.IntN(8) {
		case 0:
			holes.pix[i] = float32(math.NaN())
		case 1:
			holes.pix[i] = float32(math.Inf(-1))
		}
	}
	for _, size := range [][2]int{{17, 13}, {68, 52}, {34, 26}, {50, 41}, {9, 5}, {1, 1}, {100, 13}} {
		for name, m := range map[string]logitMap{"smooth": m, "with holes": holes} {
			if name == "with holes" && size == [2]int{17, 13} {
				continue // nothing is interpolated, and no hole spreads
			}
			got := argmaxOf(t, m, size[0], size[1])
			if diff := cmp.Diff(naiveArgmaxAt(m, size[0], size[1]), got.Pix); diff != "" {
				t.Errorf("%s, %d×%d: %s", name, size[0], size[1], diff)
			}
		}
	}
	one := smoothLogits(r, 3, 1, 1)
	if got := argmaxOf(t, one, 4, 3); got.Pix[11] != argmaxOf(t, one, 1, 1).Pix[0] {
		t.Error("a single position must spread everywhere")
	}
}

// TestTapsByHand doubles three positions: centres fall on −¼, ¼, ¾, 1¼, …
func TestTapsByHand(t *testing.T) {
	want := []tap{{0, 1, 1, 0}, {0, 1, .75, .25}, {0, 1, .25, .75}, {1, 2, .75, .25}, {1, 2, .25, .75}, {2, 2, 1, 0}}
	if diff := cmp.Diff(want, taps(3, 3, 6), cmp.AllowUnexported(tap{})); diff != "" {
		t.Error(diff)
	}
}

func argmaxOf(t *testing.T, m logitMap, w, h int) *raster.Labels {
	t.Helper()
	l, err := m.argmaxAt(w, h)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestArgmaxTies(t *testing.T) {
	m := logitMap{c: 3, h: 1, w: 2, pix: []float32{1, 0, 1, 2, 0, 2}}
	if diff := cmp.Diff([]uint8{0, 1}, argmaxOf(t, m, 2, 1).Pix); diff != "" {
		t.Errorf("ties must go to the lower id: %s", diff)
	}
}

// Broken networks give no labels, at any size: NaN everywhere, or an infinite
// logit of some class. Masked classes, minus infinity, break nothing.
func TestArgmaxOfBroken(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, width := range []int{2, 5} { // as it is, and interpolated
		for want, pix := range map[string][]float32{
			"logits are not finite: NaN at column 1, row 0":  {1, nan, 2, nan},
			"logits are not finite: +Inf at column 1, row 0": {1, 2, 2, inf},
			"logits are not finite: -Inf at column 0, row 0": {-inf, 2, -inf, 1},
		} {
			_, err := logitMap{c: 2, h: 1, w: 2, pix: pix}.argmaxAt(width, 1)
			if err == nil || err.Error() != want {
				t.Errorf("at width %d: error %v, want %q", width, err, want)
			}
		}
		masked := logitMap{c: 3, h: 1, w: 2, pix: []float32{-inf, -inf, 3, -3, -1, 1}}
		for x, id := range argmaxOf(t, masked, width, 1).Pix {
			if id == 0 {
				t.Errorf("at width %d: the masked class at column %d", width, x)
			}
		}
	}
}

func BenchmarkArgmaxAt(b *testing.B) {
	regions := smoothLogits(rand.New(rand.NewPCG(1, 1)), 19, 16, 32) // of about 30 pixels of 1024×512
	at := func(w, h int) logitMap {
		m := logitMap{c: 19, h: h, w: w, pix: make([]float32, 19*w*h)}
		regions.each(w, h, func(y int, values []float32) {
			for c := range m.c {
				copy(m.pix[(c*h+y)*w:], values[c*w:][:w])
			}
		})
		return m
	}
	quarter := at(256, 128)
	twice := quarter
	twice.larger = pad.Size{W: 1024, H: 512}
	for _, k := range []struct {
		name string
		m    logitMap
		w, h int
	}{
		{"1024×512", at(1024, 512), 1024, 512},
		{"1024×512_to_2048×1024", at(1024, 512), 2048, 1024},
		{"256×128_to_2048×1024", quarter, 2048, 1024},
		{"256×128_by_1024×512_to_2048×1024", twice, 2048, 1024},
	} {
		b.Run(k.name, func(b *testing.B) {
			b.SetBytes(int64(k.w * k.h))
			for b.Loop() {
				if _, err := k.m.argmaxAt(k.w, k.h); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
