package translate

import (
	"fmt"
	"math/rand/v2"

	"t2sda/internal/raster"
)

// BlockMask hides square blocks of an image, each with the same probability (MIC, Hoyer
// et al., CVPR 2023, section 3.2).
type BlockMask struct {
	Block int     // side, px; the blocks at the right and the bottom are cut where they do not fit
	Ratio float64 // probability that a block is hidden
}

// Validate returns an error that names the field that is out of range.
func (m BlockMask) Validate() error {
	if m.Block < 1 {
		return fmt.Errorf("translate: mask: block is %d px, must be at least 1", m.Block)
	}
	if !(m.Ratio >= 0 && m.Ratio < 1) {
		return fmt.Errorf("translate: mask: ratio is %g, must be in [0,1)", m.Ratio)
	}
	return nil
}

// Apply draws a mask from r and fills the blocks of the image that it hides, in place, with
// a colour, RGB on the image's scale: the mean that a network subtracts is what it sees as 0.
func (m BlockMask) Apply(r *rand.Rand, image *raster.Image, colour [3]float32) {
	for y := 0; y < image.H; y += m.Block {
		for x := 0; x < image.W; x += m.Block {
			if r.Float64() <= m.Ratio { // as published: a block is kept where the draw is above
				m.hide(image, x, y, colour)
			}
		}
	}
}

// hide fills the block whose first pixel is (x, y).
func (m BlockMask) hide(image *raster.Image, x, y int, colour [3]float32) {
	right, bottom := min(x+m.Block, image.W), min(y+m.Block, image.H)
	for c, value := range colour {
		plane := image.Plane(c)
		for row := y; row < bottom; row++ {
			for i := row*image.W + x; i < row*image.W+right; i++ {
				plane[i] = value
			}
		}
	}
}
