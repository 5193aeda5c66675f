package translate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"image"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"t2sda/internal/raster"
)

// imagesOf lets Measure see images in memory.
func imagesOf(m ...*raster.Image) Images {
	return Images{Len: len(m), Load: func(_ context.Context, i int) (*raster.Image, error) { return m[i], nil }}
}

// sceneModel is fitted to a scene of each domain.
func sceneModel(t testing.TB) *CameraModel {
	t.Helper()
	m, err := FitCamera(t.Context(), imagesOf(scene(1, 64, 48)), imagesOf(scene(2, 64, 48)), MeasureOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestCameraCropIsTheCrop(t *testing.T) {
	m := sceneModel(t)
	m.Vignette = 0.2
	m.Balance.Light.Less, m.Balance.Cast[0].Less = 0.5, 0.3
	source := scene(3, 151, 142)
	for _, m.Blur = range [][2]Blur{
		{},
		{{Sigma: 0.9, Glare: 0.1, Wide: 2.5}, {Sigma: 1.3}},
		{{Sigma: 0.3, Glare: 0.1, Wide: 5}, {Sigma: 2, Glare: 0.3, Wide: 10}},
	} {
		c, err := NewCamera(m, DefaultCameraOptions())
		if err != nil {
			t.Fatal(err)
		}
		whole := mustTranslate(t, c, source, nil)
		for _, crop := range []image.Rectangle{image.Rect(0, 0, 151, 142), image.Rect(1, 2, 2, 3), image.Rect(60, 51, 131, 142), image.Rect(101, 0, 151, 65)} {
			part, err := c.TranslateCrop(rand.New(rand.NewPCG(7, 7)), source, nil, crop)
			if err != nil {
				t.Fatal(err)
			}
			if want := whole.Crop(crop.Min.X, crop.Min.Y, crop.Dx(), crop.Dy()); !slices.Equal(part.Pix, want.Pix) {
				t.Errorf("blur %v: crop %v differs from the whole", m.Blur, crop)
			}
		}
	}
	c, err := NewCamera(m, DefaultCameraOptions())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.TranslateCrop(rand.New(rand.NewPCG(7, 7)), source, nil, image.Rect(100, 0, 152, 1)); err == nil {
		t.Error("a crop that leaves the image is accepted")
	}
}

// scenery paints n pictures of coloured rectangles and discs with soft shading.
func scenery(seed uint64, n, w, h int) []*raster.Image {
	out := make([]*raster.Image, n)
	for i := range out {
		out[i] = paint(rand.New(rand.NewPCG(seed, uint64(i))), w, h)
	}
	return out
}

func paint(r *rand.Rand, w, h int) *raster.Image {
	m := raster.NewImage(w, h)
	for range 60 {
		cx, cy := r.IntN(w), r.IntN(h)
		rx, ry := 3+r.IntN(w/4+1), 3+r.IntN(h/4+1)
		round, slope := r.IntN(2) == 0, 20*r.NormFloat64()
		base := 20 + 200*r.Float64()
		tint := [3]float64{25 * r.NormFloat64(), 15 * r.NormFloat64(), 25 * r.NormFloat64()}
		for y := max(cy-ry, 0); y < min(cy+ry, h); y++ {
			for x := max(cx-rx, 0); x < min(cx+rx, w); x++ {
				u, v := float64(x-cx)/float64(rx), float64(y-cy)/float64(ry)
				if round && u*u+v*v > 1 {
					continue
				}
				for c := range 3 {
					m.Plane(c)[y*w+x] = clip255(float32(base + tint[c] + slope*u))
				}
			}
		}
	}
	return m
}

// develop is a camera of the test's own: tone 255·(x/255)^gamma·gain + lift per
// channel, Gaussian blur, vignette, white noise per channel.
type develop struct {
	gamma, gain, lift float64
	tint              [3]float64
	sigma, noise      float64
	vignette          float64
}

func (d develop) of(images []*raster.Image) []*raster.Image {
	out := make([]*raster.Image, len(images))
	for i, m := range images {
		m = m.Clone()
		for c := range 3 {
			for k, v := range m.Plane(c) {
				m.Plane(c)[k] = float32(255*math.Pow(float64(v)/255, d.gamma)*d.gain + d.lift + d.tint[c])
			}
		}
		BlurParams{Sigma: d.sigma}.Apply(m)
		r := rand.New(rand.NewPCG(99, uint64(i)))
		for c := range 3 {
			for y := range m.H {
				for x := range m.W {
					dx, dy := float64(2*x-m.W)/2, float64(2*y-m.H)/2
					rho2 := 4 * (dx*dx + dy*dy) / float64(m.W*m.W+m.H*m.H)
					v := &m.Plane(c)[y*m.W+x]
					*v = clip255(float32(float64(*v)*(1-d.vignette*rho2) + d.noise*r.NormFloat64()))
				}
			}
		}
		out[i] = raster.FromImage(m.NRGBA()) // rounded
	}
	return out
}

func fitted(t testing.TB, source, target []*raster.Image) *CameraModel {
	t.Helper()
	m, err := FitCamera(t.Context(), imagesOf(source...), imagesOf(target...), MeasureOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func measured(t testing.TB, images []*raster.Image) *Appearance {
	t.Helper()
	a, err := Measure(t.Context(), imagesOf(images...), MeasureOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func translated(t testing.TB, m *CameraModel, o CameraOptions, images []*raster.Image) []*raster.Image {
	t.Helper()
	c, err := NewCamera(m, o)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]*raster.Image, len(images))
	for i, s := range images {
		if out[i], err = c.Translate(rand.New(rand.NewPCG(5, uint64(i))), s, nil); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func TestCameraOfOneDomainIsTheIdentity(t *testing.T) {
	images := develop{gamma: 1, gain: 1, noise: 2}.of(scenery(1, 12, 128, 96))
	m := fitted(t, images, images)
	for i, out := range translated(t, m, CameraOptions{}, images) {
		sum := 0.0
		for k, v := range out.Pix {
			sum += math.Abs(float64(v - images[i].Pix[k]))
		}
		if mean := sum / float64(len(out.Pix)); mean > 0.3 {
			t.Errorf("image %d changes by %.2f grey levels on average", i, mean)
		}
	}
	if m.Blur != [2]Blur{} || m.Vignette > 0.005 {
		t.Errorf("blur %+v and vignette %v of a domain to itself", m.Blur, m.Vignette)
	}
}

// TestCameraMatchesTheTarget fits a camera whose film is known.
func TestCameraMatchesTheTarget(t *testing.T) {
	film := develop{gamma: 0.8, gain: 0.7, lift: 20, tint: [3]float64{-4, 3, 6}, sigma: 1, noise: 5, vignette: 0.2}
	source := develop{gamma: 1, gain: 1}.of(scenery(1, 40, 192, 128))
	target := film.of(scenery(2, 40, 192, 128))
	m := fitted(t, source, target)
	result := translated(t, m, CameraOptions{}, source)
	have, want := measured(t, result), measured(t, target)

	h, w := newCurve(have.Luma), newCurve(want.Luma)
	for _, q := range []float64{0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98} {
		if d := h.quantile(q) - w.quantile(q); math.Abs(d) > 2 {
			t.Errorf("quantile %v of luma is off by %.1f grey levels", q, d)
		}
	}
	if math.Abs(m.Blur[0].Sigma-film.sigma) > 0.1 {
		t.Errorf("blur of %.2f px, want %.2f", m.Blur[0].Sigma, film.sigma)
	}
	if math.Abs(m.Vignette-film.vignette) > 0.06 {
		t.Errorf("vignette %.3f, want %.3f", m.Vignette, film.vignette)
	}
	for axis := range axes {
		for b := 3; b < 11; b++ { // bands that hold pixels of the film
			for _, n := range [][2]float64{{have.Noise[axis].Fine[b], want.Noise[axis].Fine[b]}, {have.Noise[axis].Coarse[b], want.Noise[axis].Coarse[b]}} {
				if math.Abs(n[0]/n[1]-1) > 0.1 {
					t.Errorf("noise of axis %d in band %d is %.2f, want %.2f", axis, b, n[0], n[1])
				}
			}
		}
	}
	for part := range have.Spectrum {
		for k := 2; k < spectrumBins; k++ {
			if r := have.Spectrum[part][k] / want.Spectrum[part][k]; math.Abs(r-1) > 0.15 {
				t.Errorf("spectrum %d at %d/32 has %.2f times the target's power", part, k+1, r)
			}
		}
	}
}

func TestCameraDoesNotDependOnWorkers(t *testing.T) {
	source, target := scenery(1, 21, 64, 48), develop{gamma: 0.8, gain: 0.8, noise: 3}.of(scenery(2, 19, 80, 56))
	var models []*CameraModel
	for _, workers := range []int{1, 3} {
		m, err := FitCamera(t.Context(), imagesOf(source...), imagesOf(target...), MeasureOptions{Workers: workers})
		if err != nil {
			t.Fatal(err)
		}
		models = append(models, m)
	}
	text := marshal(t, models[0])
	if !bytes.Equal(text, marshal(t, models[1])) {
		t.Error("one worker and three fit different models")
	}
	read := new(CameraModel)
	if err := json.Unmarshal(text, read); err != nil {
		t.Fatal(err)
	}
	a, b := translated(t, models[0], DefaultCameraOptions(), source[:1]), translated(t, read, DefaultCameraOptions(), source[:1])
	if !slices.Equal(a[0].Pix, b[0].Pix) {
		t.Error("a model that was written and read translates otherwise")
	}
}

func TestMeasureTakesImagesEvenly(t *testing.T) {
	images := scenery(1, 10, 64, 48)
	some, err := Measure(t.Context(), imagesOf(images...), MeasureOptions{Images: 5})
	if err != nil {
		t.Fatal(err)
	}
	five := measured(t, []*raster.Image{images[0], images[2], images[4], images[6], images[8]})
	if !bytes.Equal(marshal(t, some), marshal(t, five)) {
		t.Error("5 of 10 images are not every second one")
	}
}

func marshal(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestCameraOnOddImages fits what real folders hold; every result must be
// finite and in range.
func TestCameraOnOddImages(t *testing.T) {
	gray := scenery(3, 3, 64, 48)
	for _, m := range gray {
		copy(m.Plane(1), m.Plane(0))
		copy(m.Plane(2), m.Plane(0))
	}
	black := raster.NewImage(64, 48)
	normal, sizes := scenery(1, 4, 64, 48), append(scenery(2, 2, 100, 40), scenery(4, 2, 33, 77)...)
	for _, c := range []struct {
		name           string
		source, target []*raster.Image
	}{
		{"one target image", normal, scenery(2, 1, 64, 48)},
		{"one image each", normal[:1], scenery(2, 1, 64, 48)},
		{"several sizes", normal, sizes},
		{"black frames", append([]*raster.Image{black}, normal...), append([]*raster.Image{black}, sizes...)},
		{"gray source", gray, normal},
		{"gray target", normal, gray},
		{"smallest", scenery(5, 3, 32, 32), scenery(6, 3, 32, 32)},
	} {
		m := fitted(t, c.source, c.target)
		for _, out := range translated(t, m, DefaultCameraOptions(), append(slices.Clone(c.source), black, scenery(7, 1, 5, 4)[0])) {
			for _, v := range out.Pix {
				if !(v >= 0 && v <= 255) {
					t.Fatalf("%s: a pixel of %v", c.name, v)
				}
			}
		}
	}
	if a := measured(t, append([]*raster.Image{black}, normal...)); a.Images != 4 || a.Skipped != 1 {
		t.Errorf("%d images measured, %d skipped, want 4 and 1", a.Images, a.Skipped)
	}
}

func TestMeasureRefuses(t *testing.T) {
	black := raster.NewImage(64, 48)
	broken := Images{Len: 3, Load: func(context.Context, int) (*raster.Image, error) { return nil, errors.New("the file is cut off") }}
	for _, c := range []struct {
		images Images
		want   string
	}{
		{Images{}, "there are no images to measure"},
		{imagesOf(black, black), "none of the 2 images has any content"},
		{imagesOf(scene(1, 64, 48), scene(1, 31, 48)), "image 1: it has 31×48 pixels, but at least 32×32"},
		{broken, "the file is cut off"},
	} {
		if _, err := Measure(t.Context(), c.images, MeasureOptions{}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want … %s", err, c.want)
		}
		if _, err := FitCamera(t.Context(), imagesOf(scene(1, 64, 48)), c.images, MeasureOptions{}); err == nil || !strings.HasPrefix(err.Error(), "target: ") {
			t.Errorf("error %v does not name the target", err)
		}
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := Measure(ended, imagesOf(scene(1, 64, 48)), MeasureOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v after the context's end", err)
	}
}

func TestNewCameraRefuses(t *testing.T) {
	for want, change := range map[string]func(*CameraModel, *CameraOptions){
		"tone has 3 entries":   func(m *CameraModel, _ *CameraOptions) { m.Tone = m.Tone[:3] },
		"chroma has 0 entries": func(m *CameraModel, _ *CameraOptions) { m.Chroma[1].Shift = nil },
		"noise has 2 entries":  func(m *CameraModel, _ *CameraOptions) { m.Noise[2].Coarse = m.Noise[2].Coarse[:2] },
		"camera.exposure: -1":  func(_ *CameraModel, o *CameraOptions) { o.Exposure = -1 },
		"camera.strength: 2":   func(_ *CameraModel, o *CameraOptions) { o.Strength = 2 },
		"glare over -1 px":     func(m *CameraModel, _ *CameraOptions) { m.Blur[0] = Blur{Glare: 0.1, Wide: -1} },
		"blur of 1000 px":      func(m *CameraModel, _ *CameraOptions) { m.Blur[1].Sigma = 1000 },
		"vignette of 2":        func(m *CameraModel, _ *CameraOptions) { m.Vignette = 2 },
	} {
		m, o := sceneModel(t), CameraOptions{}
		change(m, &o)
		if _, err := NewCamera(m, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want … %s", err, want)
		}
	}
}

// TestGlareIsAGaussian measures the scattered light of one bright pixel.
func TestGlareIsAGaussian(t *testing.T) {
	for _, wide := range glareWidths {
		const side = 161
		bounds := image.Rect(0, 0, side, side)
		b := Blur{Glare: 1, Wide: wide}
		mean, n := 0.0, 0
		for at := 70; at < 70+b.cell(); at++ { // where the pixel lies in its cell matters a little
			w, plane := new(cameraWork), make([]float32, side*side)
			plane[80*side+at] = 1
			w.scatter(plane, b, bounds, bounds)
			sum, second := 0.0, 0.0
			for i, v := range plane {
				d := float64(i%side - at)
				sum += float64(v)
				second += float64(v) * d * d
			}
			if math.Abs(sum-1) > 1e-3 {
				t.Errorf("%v px: %v of the light is left", wide, sum)
			}
			mean, n = mean+second, n+1
		}
		if sigma := math.Sqrt(mean / float64(n)); math.Abs(sigma/wide-1) > 0.03 {
			t.Errorf("glare of %.2f px instead of %v", sigma, wide)
		}
	}
}

// TestToneMap has golden values: half the pixels at 10 and half at 20 become
// half at 100 and half at 140, and straight lines lie between.
func TestToneMap(t *testing.T) {
	share := func(at ...int) []float64 {
		s := make([]float64, levels)
		for _, l := range at {
			s[l] += 1 / float64(len(at))
		}
		return s
	}
	source, target := newCurve(share(100, 150)), newCurve(share(80, 180))
	raw := toneMap(source, target)
	for l, want := range map[int]float64{100: 80, 125: 130, 150: 180} {
		if math.Abs(raw[l]-want) > 2.5 { // the corners are smoothed
			t.Errorf("level %d becomes %.1f, want %v", l, raw[l], want)
		}
	}
	if !slices.IsSorted(raw) {
		t.Error("the map is not monotone")
	}
	steep := toneMap(newCurve(share(100, 101)), newCurve(share(50, 200)))
	for l := 1; l < levels; l++ {
		if d := steep[l] - steep[l-1]; d < 0 || d > steepest+1e-9 {
			t.Fatalf("slope %v at level %d", d, l)
		}
	}
	for l, v := range toneMap(source, source) {
		if v != float64(l) && math.Abs(v-float64(l)) > 1e-9 {
			t.Errorf("level %d of one domain becomes %v", l, v)
		}
	}
}
