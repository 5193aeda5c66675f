package translate

import (
	"math"
	"slices"
	"strings"
	"testing"

	"t2sda/internal/raster"
	"t2sda/internal/rng"
)

// grey is a picture of one value.
func grey(w, h int, value float32) *raster.Image {
	m := raster.NewImage(w, h)
	for i := range m.Pix {
		m.Pix[i] = value
	}
	return m
}

// TestBlockMask: blocks are hidden whole, those that do not fit too, in the share asked
// for and in the colour given; the draw alone says which.
func TestBlockMask(t *testing.T) {
	const w, h, side = 70, 45, 8 // 9 × 6 blocks, of which the last ones are cut
	colour := [3]float32{1, 2, 3}
	m := BlockMask{Block: side, Ratio: 0.7}
	if err := m.Validate(); err != nil {
		t.Fatal(err)
	}
	hidden, blocks := 0, 0
	for seed := range uint64(200) {
		image, again := grey(w, h, 100), grey(w, h, 100)
		m.Apply(rng.New(seed, 0, "mask"), image, colour)
		m.Apply(rng.New(seed, 0, "mask"), again, colour)
		if !slices.Equal(image.Pix, again.Pix) {
			t.Fatal("one seed gives two masks")
		}
		for y := range h {
			for x := range w {
				block := y/side*side*w + x/side*side
				for c := range 3 {
					v := image.Plane(c)[y*w+x]
					if v != 100 && v != colour[c] || v != image.Plane(c)[block] || (v == 100) != (image.Plane(0)[block] == 100) {
						t.Fatalf("seed %d: channel %d at (%d,%d) is %g, its block's first pixel %g", seed, c, x, y, v, image.Plane(c)[block])
					}
				}
				if x%side == 0 && y%side == 0 {
					blocks++
					if image.Plane(0)[block] != 100 {
						hidden++
					}
				}
			}
		}
	}
	if blocks != 200*54 {
		t.Fatalf("%d blocks", blocks)
	}
	// four deviations of a binomial share
	if share := float64(hidden) / float64(blocks); math.Abs(share-0.7) > 4*math.Sqrt(0.7*0.3/float64(blocks)) {
		t.Errorf("%.4f of the blocks are hidden, want 0.7", share)
	}
}

// TestBlockMaskOfNothing: ratio 0 hides nothing.
func TestBlockMaskOfNothing(t *testing.T) {
	image := grey(16, 16, 100)
	BlockMask{Block: 4}.Apply(rng.New(1, 0, "mask"), image, [3]float32{})
	if slices.ContainsFunc(image.Pix, func(v float32) bool { return v != 100 }) {
		t.Error("blocks are hidden")
	}
}

// TestBadBlockMask pairs faults with what is said of them.
func TestBadBlockMask(t *testing.T) {
	for want, m := range map[string]BlockMask{
		"block is 0 px":   {0, 0.5},
		"ratio is 1,":     {4, 1},
		"ratio is -0.1,":  {4, -0.1},
		"ratio is NaN, m": {4, math.NaN()},
	} {
		if err := m.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: have %v, want %s", m, err, want)
		}
	}
}
