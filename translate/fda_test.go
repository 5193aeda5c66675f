package translate

import (
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"t2sda/internal/median"
	"t2sda/internal/raster"
)

// scene returns an image with structure at all scales, 0–255, not symmetric.
func scene(seed uint64, w, h int) *raster.Image {
	r := rand.New(rand.NewPCG(seed, 1))
	m := raster.NewImage(w, h)
	for c := range 3 {
		base, slope, wave := 60+80*r.Float64(), 60*r.NormFloat64(), 3+5*r.Float64()
		for y := range h {
			for x := range w {
				v := base + slope*float64(y)/float64(h) + 25*math.Sin(wave*float64(x)/float64(w)+float64(c)) + 20*r.NormFloat64()
				m.Plane(c)[y*w+x] = clip255(float32(v))
			}
		}
	}
	return m
}

// farthest returns the largest absolute difference.
func farthest(a, b *raster.Image) float64 {
	var d float64
	for i, v := range a.Pix {
		if e := math.Abs(float64(v - b.Pix[i])); !(e <= d) {
			d = e
		}
	}
	return d
}

func mustTranslate(t testing.TB, e Engine, source, target *raster.Image) *raster.Image {
	t.Helper()
	out, err := e.Translate(rand.New(rand.NewPCG(7, 7)), source, target)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestFDAEqualsFullTransform(t *testing.T) {
	sizes := [][2]int{{64, 32}, {63, 31}, {62, 33}, {30, 42}, {45, 60}, {128, 96}, {17, 9}, {5, 4}, {3, 2}, {2, 3}, {1, 1}, {1, 7}, {2, 2}, {6, 1}}
	for _, size := range sizes {
		w, h := size[0], size[1]
		source, target, oracle := scene(1, w, h), scene(2, w, h), newFullFFT(w, h)
		for _, band := range []float64{0, 0.01, 0.05, 0.09, 0.25, 0.499} {
			for _, box := range []string{BoxMin, BoxAxes} {
				for _, asymmetric := range []bool{false, true} {
					f := &FDA{Band: band, Box: box, Asymmetric: asymmetric}
					bu, bv := f.Window(w, h)
					got := mustTranslate(t, f, source, target)
					want := oracle.translate(source, target, bu, bv, asymmetric)
					if d := farthest(got, want); d > 1e-3 {
						t.Errorf("%d×%d L=%v %s asymmetric=%v (b=%d,%d): %g from the full transform", w, h, band, box, asymmetric, bu, bv, d)
					}
				}
			}
		}
	}
}

// Coefficients of a source with little low-frequency content have phases that
// rounding would disturb first.
func TestFDAEqualsFullTransformWhenSourceIsNearlyFlat(t *testing.T) {
	const w, h = 96, 64
	source, target := raster.NewImage(w, h), scene(2, w, h)
	r := rand.New(rand.NewPCG(3, 3))
	for i := range source.Pix {
		source.Pix[i] = 200 + 1e-3*r.Float32()
	}
	f := &FDA{Band: 0.2}
	bu, bv := f.Window(w, h)
	if d := farthest(mustTranslate(t, f, source, target), newFullFFT(w, h).translate(source, target, bu, bv, false)); d > 1e-3 {
		t.Errorf("%g from the full transform", d)
	}
}

func TestFullTransformsAgree(t *testing.T) {
	source, target := scene(1, 64, 48), scene(2, 64, 48)
	a := newFullFFT(64, 48).translate(source, target, 5, 6, false)
	if d := farthest(a, newRealFFT(64, 48).translate(source, target, 5, 6)); d > 1e-4 {
		t.Errorf("complex and real transforms differ by %g", d)
	}
}

func TestFDAOfItselfIsTheIdentity(t *testing.T) {
	m := scene(4, 80, 50)
	for _, f := range []*FDA{{Band: 0.1}, {Band: 0.49, Box: BoxAxes, Clip: true}, {Band: 0.1, Asymmetric: true}} {
		if d := farthest(mustTranslate(t, f, m, m), m); d > 1e-4 {
			t.Errorf("L=%v: differs from the source by %g", f.Band, d)
		}
	}
}

func TestFDABandZeroSwapsMeansOnly(t *testing.T) {
	source, target := scene(5, 40, 30), scene(6, 40, 30)
	got := mustTranslate(t, &FDA{Band: 0.02}, source, target) // ⌊0.02·30⌋ = 0
	for c := range 3 {
		shift := mean(target.Plane(c)) - mean(source.Plane(c))
		for i, v := range got.Plane(c) {
			if math.Abs(float64(v)-float64(source.Plane(c)[i])-shift) > 1e-4 {
				t.Fatalf("channel %d, pixel %d: %v, want %v%+v", c, i, v, source.Plane(c)[i], shift)
			}
		}
	}
	if !slices.Equal(mustTranslate(t, &FDA{Asymmetric: true}, source, target).Pix, source.Pix) {
		t.Error("the asymmetric box of b = 0 is empty, yet the image changed")
	}
}

func mean(x []float32) float64 {
	var sum float64
	for _, v := range x {
		sum += float64(v)
	}
	return sum / float64(len(x))
}

// By hand, 4×1, b = 1 (L·W = 1.6): x = 1 2 3 6 has X0 = 12, X1 = (1−3) + i(6−2)
// = −2+4i; t = 2 4 2 0 has T0 = 8, T1 = 0 − 4i, amplitude 4. The new X1 is
// 4·(−2+4i)/√20, so y_n = 8/4 + 2/4·Re(X1·iⁿ).
func TestFDAByHand(t *testing.T) {
	source, target := raster.NewImage(4, 1), raster.NewImage(4, 1)
	for c := range 3 {
		copy(source.Plane(c), []float32{1, 2, 3, 6})
		copy(target.Plane(c), []float32{2, 4, 2, 0})
	}
	a, b := -8/math.Sqrt(20), 16/math.Sqrt(20) // the new X1 is a+bi
	nyquist := (1.0 - 2 + 3 - 6) / 4           // X2/4 keeps its place
	want := []float64{2 + a/2 + nyquist, 2 - b/2 - nyquist, 2 - a/2 + nyquist, 2 + b/2 - nyquist}
	got := mustTranslate(t, &FDA{Band: 0.4, Box: BoxAxes}, source, target)
	for i, v := range got.Plane(1) {
		if math.Abs(float64(v)-want[i]) > 1e-6 {
			t.Errorf("pixel %d: %v, want %v", i, v, want[i])
		}
	}
}

func TestFDAClips(t *testing.T) {
	source, target := scene(11, 40, 30), scene(12, 40, 30)
	for i := range target.Pix {
		target.Pix[i] = 3 * target.Pix[i]
	}
	free := mustTranslate(t, &FDA{Band: 0.1}, source, target)
	clipped := mustTranslate(t, &FDA{Band: 0.1, Clip: true}, source, target)
	if slices.Max(free.Pix) <= 255 {
		t.Fatal("nothing to clip")
	}
	for i, v := range free.Pix {
		if clipped.Pix[i] != clip255(v) {
			t.Fatalf("value %v became %v", v, clipped.Pix[i])
		}
	}
}

// A flat source has amplitude 0 but at frequency 0; its phases count as 0, so
// the result is the target's window with all phases 0: symmetric about pixel 0.
func TestFDAGivesPhaseZeroWhereTheSourceHasNone(t *testing.T) {
	const w, h = 33, 20
	source, target := raster.NewImage(w, h), scene(8, w, h)
	for i := range source.Pix {
		source.Pix[i] = 77.7
	}
	got := mustTranslate(t, &FDA{Band: 0.2}, source, target)
	peak := got.Plane(0)[0]
	for y := range h {
		for x := range w {
			v := got.Plane(0)[y*w+x]
			if mirror := got.Plane(0)[(h-y)%h*w+(w-x)%w]; v > peak || math.Abs(float64(v-mirror)) > 1e-3 {
				t.Fatalf("(%d,%d): %v, its mirror image %v, pixel 0 %v", x, y, v, mirror, peak)
			}
		}
	}
}

func TestFDAIsTheSameForAnyNumberOfWorkersAndSharers(t *testing.T) {
	source, target := scene(9, 101, 66), scene(10, 101, 66)
	shared := &FDA{Band: 0.06, Clip: true}
	want := mustTranslate(t, &FDA{Band: 0.06, Clip: true, Workers: 5}, source, target)
	sourceBefore, targetBefore := source.Clone(), target.Clone()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			got, err := shared.Translate(nil, source, target)
			if err != nil || !slices.Equal(got.Pix, want.Pix) {
				t.Errorf("result differs (error %v)", err)
			}
		})
	}
	wg.Wait()
	if !slices.Equal(source.Pix, sourceBefore.Pix) || !slices.Equal(target.Pix, targetBefore.Pix) {
		t.Error("an input was modified")
	}
}

func TestFDACropIsAPartOfTheWhole(t *testing.T) {
	source, target := scene(11, 90, 70), scene(12, 90, 70)
	for _, f := range []*FDA{{Band: 0.06, Clip: true}, {Band: 0.04, Asymmetric: true, Workers: 2}} {
		whole := mustTranslate(t, f, source, target)
		for _, r := range []image.Rectangle{image.Rect(0, 0, 90, 70), image.Rect(13, 7, 60, 70), image.Rect(89, 69, 90, 70)} {
			got, err := f.TranslateCrop(nil, source, target, r)
			if err != nil {
				t.Fatal(err)
			}
			want := whole.Crop(r.Min.X, r.Min.Y, r.Dx(), r.Dy())
			if got.W != want.W || got.H != want.H || !slices.Equal(got.Pix, want.Pix) {
				t.Errorf("crop %v differs", r)
			}
		}
	}
	for _, r := range []image.Rectangle{{}, image.Rect(0, 0, 91, 70), image.Rect(-1, 0, 4, 4)} {
		if _, err := (&FDA{}).TranslateCrop(nil, source, target, r); err == nil {
			t.Errorf("crop %v is taken", r)
		}
	}
}

func TestFDAForgetsTablesOfManySizes(t *testing.T) {
	f := &FDA{Band: 0.1}
	for n := 1; n < 4*maxTables; n++ {
		m := scene(1, n, 3)
		mustTranslate(t, f, m, m)
		if len(f.axes) > maxTables {
			t.Fatalf("%d tables kept", len(f.axes))
		}
	}
}

func TestFDARefuses(t *testing.T) {
	small, other := raster.NewImage(4, 4), raster.NewImage(5, 4)
	for _, c := range []struct {
		f              *FDA
		source, target *raster.Image
		want           string
	}{
		{&FDA{Band: 0.5}, small, small, "band: 0.5"},
		{&FDA{Band: math.NaN()}, small, small, "band: NaN"},
		{&FDA{Box: "round"}, small, small, `box: "round" is unknown; there are min, axes`},
		{&FDA{Workers: -1}, small, small, "workers: -1"},
		{&FDA{}, nil, small, "source image is missing"},
		{&FDA{}, small, nil, "target image is missing (engine fda)"},
		{&FDA{}, small, other, "source is 4×4, target 5×4"},
		{&FDA{}, &raster.Image{W: 4, H: 4}, small, "source image of 4×4 holds 0 values instead of 48"},
		{&FDA{}, &raster.Image{}, small, "source image is empty"},
	} {
		if _, err := c.f.Translate(nil, c.source, c.target); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}

const benchW, benchH = 1024, 512

func BenchmarkFDA(b *testing.B) {
	source, target := scene(1, benchW, benchH), scene(2, benchW, benchH)
	for _, workers := range []int{1, 2} {
		for _, band := range []float64{0.01, 0.05, 0.09} {
			b.Run(fmt.Sprintf("L=%v/workers=%d", band, workers), func(b *testing.B) {
				f := &FDA{Band: band, Clip: true, Workers: workers}
				mustTranslate(b, f, source, target)
				for b.Loop() {
					mustTranslate(b, f, source, target)
				}
			})
		}
	}
}

// BenchmarkFullFFT is the yardstick: complete transforms of complex numbers
// (the oracle), and, twice as fast, real ones that use the conjugate symmetry.
func BenchmarkFullFFT(b *testing.B) {
	source, target := scene(1, benchW, benchH), scene(2, benchW, benchH)
	b.Run("complex", func(b *testing.B) {
		f := newFullFFT(benchW, benchH)
		for b.Loop() {
			f.translate(source, target, 5, 5, false)
		}
	})
	b.Run("real", func(b *testing.B) {
		f := newRealFFT(benchW, benchH)
		for b.Loop() {
			f.translate(source, target, 5, 5)
		}
	})
}

// BenchmarkFDAOverFullFFT alternates both on one core and reports medians of
// how many times faster FDA is than the complex and than the real transforms.
func BenchmarkFDAOverFullFFT(b *testing.B) {
	source, target := scene(1, benchW, benchH), scene(2, benchW, benchH)
	complete, half := newFullFFT(benchW, benchH), newRealFFT(benchW, benchH)
	for _, band := range []float64{0.01, 0.05, 0.09} {
		b.Run(fmt.Sprintf("L=%v", band), func(b *testing.B) {
			f := &FDA{Band: band, Clip: true}
			bu, bv := f.Window(benchW, benchH)
			mustTranslate(b, f, source, target) // makes the tables
			var overComplex, overReal []float64
			for b.Loop() {
				fda := seconds(func() { mustTranslate(b, f, source, target) })
				overComplex = append(overComplex, seconds(func() { complete.translate(source, target, bu, bv, false) })/fda)
				overReal = append(overReal, seconds(func() { half.translate(source, target, bu, bv) })/fda)
			}
			b.ReportMetric(0, "ns/op") // a round mixes three things
			b.ReportMetric(median.Of(overComplex), "x-complex")
			b.ReportMetric(median.Of(overReal), "x-real")
		})
	}
}

func seconds(f func()) float64 {
	start := time.Now()
	f()
	return time.Since(start).Seconds()
}
