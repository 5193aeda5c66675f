package datasets

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"t2sda/internal/raster"
)

// handStats: class a 700, b 200, c 100, d 0 pixels; images of 100×100, in which
// MinPixels 3000 scales to 3000·10⁴/(2048·1024) = 14.3 pixels.
func handStats() *Stats {
	file := func(id string, pixels ...int64) FileStats {
		return FileStats{ID: id, W: 100, H: 100, Pixels: pixels}
	}
	return &Stats{
		Root: "here", Classes: []string{"a", "b", "c", "d"}, Pixels: []int64{700, 200, 100, 0},
		Files: []FileStats{file("0", 400, 15, 14, 0), file("1", 300, 170, 0, 0), file("2", 0, 15, 86, 0)},
	}
}

func TestRCSByHand(t *testing.T) {
	o := DefaultRCS(handStats())
	o.Temperature = 0.5
	r, err := NewRCS(o)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]float64{0.7, 0.2, 0.1, 0}, r.Frequency); diff != "" {
		t.Error(diff)
	}
	// softmax((1−f)/0.5) over 0.6, 1.6, 1.8: e^0.6 = 1.822119, e^1.6 = 4.953032,
	// e^1.8 = 6.049647; sum 12.824798.
	for c, want := range []float64{0.142078, 0.386207, 0.471715, 0} {
		if math.Abs(r.Probability[c]-want) > 1e-6 {
			t.Errorf("P(%d) = %v, want %v", c, r.Probability[c], want)
		}
	}
	if diff := cmp.Diff([][]int{{0, 1}, {0, 1, 2}, {2}, nil}, r.Files); diff != "" {
		t.Errorf("files: %s", diff)
	}
	if len(r.Warnings) != 1 {
		t.Fatalf("warnings: %q", r.Warnings)
	}
	if want := `here: class "d" occurs in none of the 3 label files; rare class sampling leaves it out`; r.Warnings[0] != want {
		t.Errorf("warning %q", r.Warnings[0])
	}
	if got, want := r.cropPixels(50, 40), 0.5*3000*2000/(2048.*1024); math.Abs(got-want) > 1e-12 {
		t.Errorf("a crop should exceed %v pixels, want %v", got, want)
	}

	rnd := rand.New(rand.NewPCG(1, 2))
	const draws = 30000
	counts := make([]float64, 4)
	files := map[[2]int]float64{}
	for range draws {
		c, f := r.draw(rnd)
		counts[c]++
		files[[2]int{c, f}]++
	}
	for c, p := range r.Probability {
		if sd := math.Sqrt(p * (1 - p) / draws); math.Abs(counts[c]/draws-p) > 5*sd {
			t.Errorf("class %d drawn with %v, want %v", c, counts[c]/draws, p)
		}
	}
	for f := range 3 {
		if share := files[[2]int{1, f}] / counts[1]; math.Abs(share-1./3) > 0.03 {
			t.Errorf("file %d drawn with %v for class 1", f, share)
		}
	}
}

func TestRCSScarceClass(t *testing.T) {
	s := handStats()
	s.Files[2].Pixels[2] = 14 // c is there, but nowhere enough of it
	r, err := NewRCS(DefaultRCS(s))
	if err != nil {
		t.Fatal(err)
	}
	if r.Probability[2] != 0 || len(r.Warnings) != 2 {
		t.Errorf("P = %v, warnings %q", r.Probability, r.Warnings)
	}
	// T = 0.01 and f = 0.7, 0.2: P(a) = 1/(1 + e^50).
	if got, want := r.Probability[0], 1/(1+math.Exp(50)); math.Abs(got-want) > 1e-25 {
		t.Errorf("P(a) = %v, want %v", got, want)
	}
}

func TestRCSErrors(t *testing.T) {
	change := func(f func(*RCSOptions)) error {
		o := DefaultRCS(handStats())
		f(&o)
		_, err := NewRCS(o)
		return err
	}
	wantError(t, change(func(o *RCSOptions) { o.Stats = nil }), "needs class statistics")
	wantError(t, change(func(o *RCSOptions) { o.Temperature = 0 }), "temperature 0 is not positive")
	wantError(t, change(func(o *RCSOptions) { o.Temperature = math.NaN() }), "temperature NaN")
	wantError(t, change(func(o *RCSOptions) { o.MinPixels = -1 }), "min_pixels -1 is negative")
	wantError(t, change(func(o *RCSOptions) { o.MinCropRatio = -0.5 }), "min_crop_ratio -0.5 is negative")
	wantError(t, change(func(o *RCSOptions) { o.MinPixels = 1e6 }), "here: rare class sampling: no class has an image with more than 1000000 pixels")
	wantError(t, change(func(o *RCSOptions) { clear(o.Stats.Pixels) }), "every pixel of the 3 label files is void")
}

// A permutation of the classes permutes the distribution.
func TestRCSPermutation(t *testing.T) {
	s := handStats()
	p := handStats()
	order := []int{2, 3, 0, 1}
	for to, from := range order {
		p.Pixels[to], p.Classes[to] = s.Pixels[from], s.Classes[from]
		for i := range s.Files {
			p.Files[i].Pixels[to] = s.Files[i].Pixels[from]
		}
	}
	a, err := NewRCS(DefaultRCS(s))
	if err != nil {
		t.Fatal(err)
	}
	b, err := NewRCS(DefaultRCS(p))
	if err != nil {
		t.Fatal(err)
	}
	for to, from := range order {
		if math.Abs(b.Probability[to]-a.Probability[from]) > 1e-12 || !cmp.Equal(b.Files[to], a.Files[from]) {
			t.Errorf("class %q: %v, want %v", p.Classes[to], b.Probability[to], a.Probability[from])
		}
	}
}

func TestBalanced(t *testing.T) {
	tests := []struct {
		name string
		h    map[int]int
		want bool
	}{
		{"even", map[int]int{0: 50, 1: 50}, true},
		{"at the limit", map[int]int{0: 75, 1: 25}, true},
		{"above", map[int]int{0: 76, 1: 24}, false},
		{"void does not count", map[int]int{0: 70, 1: 30, raster.Void: 1000}, true},
		{"one class", map[int]int{3: 10}, false},
		{"void only", map[int]int{raster.Void: 10}, false},
	}
	for _, test := range tests {
		var h [256]int64
		for id, n := range test.h {
			h[id] = int64(n)
		}
		if got := balanced(&h, 0.75); got != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

// A rare class in a corner: without the search few crops hold it, with it most.
func TestCropsSearchTheRareClass(t *testing.T) {
	l := raster.NewLabels(64, 64)
	for y := range 8 {
		for x := range 8 {
			l.Pix[y*64+x] = 1
		}
	}
	hits := func(class int) int {
		r, n := rand.New(rand.NewPCG(3, 4)), 0
		c := cropper{w: 32, h: 32}
		for range 500 {
			if histogram(l, c.drawLabelled(r, l, class, 10))[1] > 10 {
				n++
			}
		}
		return n
	}
	// A crop holds more than 10 of the 64 pixels at the offsets with
	// (8−x)(8−y) > 10: 41 of 33² = 3.8 %; 11 draws: 34 %.
	if plain, searched := hits(-1), hits(1); plain > 40 || searched < 140 || searched > 205 {
		t.Errorf("%d of 500 crops hold the class without search, %d with it", plain, searched)
	}
}

func TestCropsAvoidOneClass(t *testing.T) {
	l := raster.NewLabels(64, 32) // left three quarters 0, right quarter stripes of 1
	for i := range l.Pix {
		if i%64 >= 48 {
			l.Pix[i] = 1
		}
	}
	share := func(ratio float64) float64 {
		r, n := rand.New(rand.NewPCG(5, 6)), 0
		c := cropper{w: 16, h: 16, catMax: ratio}
		for range 500 {
			if balanced(histogram(l, c.drawLabelled(r, l, -1, 0)), 0.75) {
				n++
			}
		}
		return float64(n) / 500
	}
	// Offsets 36…44 of 0…48 are balanced: 9/49 = 18 %; 11 draws: 89 %.
	if off, on := share(1), share(0.75); off > 0.27 || on < 0.83 || on > 0.95 {
		t.Errorf("balanced crops: %.2f without, %.2f with the redraw", off, on)
	}
}
