package streets_test

import (
	"math"
	"sync"
	"testing"

	"t2sda/datasets/streets"
	"t2sda/internal/raster"
)

const (
	classes = 19
	sampled = 160 // streets per domain that the statistics look at
	seed    = 7
)

var names = [classes]string{
	"road", "sidewalk", "building", "wall", "fence", "pole", "traffic light", "traffic sign", "vegetation", "terrain",
	"sky", "person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle",
}

// census is what a set of pictures shows.
type census struct {
	share    [classes]float64 // of all labelled pixels
	pictures [classes]float64 // share of pictures with at least 0.05 % of the class
	void     float64
	mean     float64 // of the luminance
	chroma   float64 // mean difference of the largest and smallest channel
	noise    float64 // median absolute second difference along rows
	other    int     // pixels with an id that is no class
}

// takeCensus renders the sampled streets of a domain.
func takeCensus(d streets.Domain) *census {
	var s census
	var labelled, pixels float64
	var fine [256]int
	for i := range sampled {
		img, lab := streets.Render(seed, i, d, 256, 128)
		var n [256]int
		for _, id := range lab.Pix {
			n[id]++
		}
		for c := range classes {
			s.share[c] += float64(n[c])
			labelled += float64(n[c])
			if float64(n[c]) >= 0.0005*float64(len(lab.Pix)) {
				s.pictures[c] += 1.0 / sampled
			}
		}
		s.void += float64(n[raster.Void])
		for id := classes; id < raster.Void; id++ {
			s.other += n[id]
		}
		r, g, b := img.Plane(0), img.Plane(1), img.Plane(2)
		for k := range r {
			s.mean += float64(0.299*r[k] + 0.587*g[k] + 0.114*b[k])
			s.chroma += float64(max(r[k], g[k], b[k]) - min(r[k], g[k], b[k]))
			if k%256 > 1 && lab.Pix[k] == 0 && lab.Pix[k-2] == 0 {
				fine[min(255, int(math.Abs(float64(g[k]-2*g[k-1]+g[k-2]))))]++
			}
		}
		pixels += float64(len(r))
	}
	for c := range s.share {
		s.share[c] /= labelled
	}
	s.void, s.mean, s.chroma = s.void/pixels, s.mean/pixels, s.chroma/pixels
	s.noise = median(&fine)
	return &s
}

func median(counts *[256]int) float64 {
	total := 0
	for _, n := range counts {
		total += n
	}
	for v, seen := 0, 0; v < len(counts); v++ {
		if seen += counts[v]; 2*seen >= total {
			return float64(v)
		}
	}
	return 255
}

// both renders the two sets once for all tests, one per core.
var both = sync.OnceValue(func() map[streets.Domain]*census {
	out := map[streets.Domain]*census{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, d := range []streets.Domain{streets.Game, streets.Camera} {
		wg.Go(func() {
			c := takeCensus(d)
			mu.Lock()
			defer mu.Unlock()
			out[d] = c
		})
	}
	wg.Wait()
	return out
})

func TestRenderIsAPureFunction(t *testing.T) {
	for _, d := range []streets.Domain{streets.Game, streets.Camera} {
		img, lab := streets.Render(3, 11, d, 96, 48)
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				streets.Render(4, 2, d, 64, 32)
				again, labels := streets.Render(3, 11, d, 96, 48)
				if !equal(img.Pix, again.Pix) || !equal(lab.Pix, labels.Pix) {
					t.Errorf("%s: a second rendering differs", d)
				}
			})
		}
		wg.Wait()
		for _, other := range [][2]int{{3, 12}, {4, 11}} {
			if b, _ := streets.Render(uint64(other[0]), other[1], d, 96, 48); equal(img.Pix, b.Pix) {
				t.Errorf("%s: seed %d index %d gives the same picture as seed 3 index 11", d, other[0], other[1])
			}
		}
	}
}

func equal[T comparable](a, b []T) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return len(a) == len(b)
}

// The size may change the sampling but not the street.
func TestSizeOnlySamples(t *testing.T) {
	for _, d := range []streets.Domain{streets.Game, streets.Camera} {
		for i := range 4 {
			_, small := streets.Render(seed, i, d, 256, 128)
			_, large := streets.Render(seed, i, d, 768, 384)
			reduced := large.ResizeNearest(256, 128)
			same := 0
			for k := range small.Pix {
				if small.Pix[k] == reduced.Pix[k] {
					same++
				}
			}
			if share := float64(same) / float64(len(small.Pix)); share < 0.93 {
				t.Errorf("%s street %d: only %.1f %% of the labels agree between sizes", d, i, 100*share)
			}
		}
	}
}

func TestPixelsAreBytes(t *testing.T) {
	for _, d := range []streets.Domain{streets.Game, streets.Camera} {
		img, _ := streets.Render(seed, 0, d, 128, 64)
		for i, v := range img.Pix {
			if v != float32(uint8(v)) {
				t.Fatalf("%s: value %v at %d is no byte", d, v, i)
			}
		}
	}
}

func TestClassesAreLongTailed(t *testing.T) {
	for d, s := range both() {
		if s.other > 0 {
			t.Errorf("%s: %d pixels have an id that is no class", d, s.other)
		}
		for c, name := range names {
			t.Logf("%-6s %-13s %6.2f %% of pixels, in %5.1f %% of pictures", d, name, 100*s.share[c], 100*s.pictures[c])
			if s.pictures[c] < 0.06 {
				t.Errorf("%s: %s occurs in %.1f %% of the pictures only", d, name, 100*s.pictures[c])
			}
		}
		if big := s.share[0] + s.share[2] + s.share[8] + s.share[10]; big < 0.55 {
			t.Errorf("%s: road, building, vegetation and sky cover %.1f %% only", d, 100*big)
		}
		for _, c := range []int{6, 7, 12, 15, 16, 17, 18} {
			if s.share[c] > 0.02 {
				t.Errorf("%s: %s covers %.1f %%, too much for a rare class", d, names[c], 100*s.share[c])
			}
		}
	}
}

func TestDomainsDifferInLookNotInLayout(t *testing.T) {
	game, camera := both()[streets.Game], both()[streets.Camera]
	t.Logf("game   luminance %.1f chroma %.1f noise %.1f void %.3f", game.mean, game.chroma, game.noise, game.void)
	t.Logf("camera luminance %.1f chroma %.1f noise %.1f void %.3f", camera.mean, camera.chroma, camera.noise, camera.void)
	if game.chroma < 1.3*camera.chroma {
		t.Errorf("chroma %.1f of the game is hardly above the camera's %.1f", game.chroma, camera.chroma)
	}
	if camera.noise < game.noise+2 {
		t.Errorf("noise %.1f of the camera is hardly above the game's %.1f", camera.noise, game.noise)
	}
	if game.void != 0 || camera.void == 0 || camera.void > 0.08 {
		t.Errorf("void covers %.3f of the game and %.3f of the camera", game.void, camera.void)
	}
	distance := 0.0 // total variation
	for c := range classes {
		distance += math.Abs(game.share[c]-camera.share[c]) / 2
	}
	if distance > 0.15 {
		t.Errorf("the classes' distributions are %.2f apart", distance)
	}
}

func TestRenderPanicsOnBadArguments(t *testing.T) {
	for name, call := range map[string]func(){
		"domain": func() { streets.Render(0, 0, "film", 64, 32) },
		"size":   func() { streets.Render(0, 0, streets.Game, 8, 8) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("bad %s: no panic", name)
				}
			}()
			call()
		}()
	}
}
