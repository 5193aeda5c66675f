package translate

import (
	"math/rand/v2"
	"sync"
)

const (
	grainSide = 256 // of the tile of noise, pixels; a power of 2
	grainCell = 64  // blocks of the image that take noise from the tile at an offset of their own
)

// grain is a tile of Gaussian noise of unit deviation for one axis: white noise,
// and noise of half the resolution whose samples fill 2×2 pixels, as chroma has
// it after 4:2:0 subsampling. Rows are grainCell longer than the tile is wide:
// they go on with their beginning, so that a block's row is one piece.
type grain struct{ fine, coarse []float32 }

const grainStride = grainSide + grainCell

// The orthonormal diagonal Haar coefficients of unit white noise have variance 1
// at every scale; those of 2×2 squares have 0 at the finest and 4 at the next.
const squaresCoarse = 4

// grains are the tiles of the three axes, made at first use. They are the same
// in every run.
var grains = sync.OnceValue(func() (g [axes]grain) {
	for axis := range g {
		r := rand.New(rand.NewPCG(0x6772_6169_6e, uint64(axis)))
		const half = grainSide / 2
		white, small := normals(r, grainSide*grainSide), normals(r, half*half)
		g[axis] = grain{fine: make([]float32, grainSide*grainStride), coarse: make([]float32, grainSide*grainStride)}
		for y := range grainSide {
			for x := range grainStride {
				i := y*grainStride + x
				g[axis].fine[i] = white[y*grainSide+x%grainSide]
				g[axis].coarse[i] = small[y/2*half+x%grainSide/2]
			}
		}
	}
	return g
})

func normals(r *rand.Rand, n int) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(r.NormFloat64())
	}
	return out
}

// grainOffset returns where in the tile the block (bx, by) of an image takes its
// noise from. Both numbers are even, so that squares stay whole.
func grainOffset(seed uint64, bx, by int) (x, y int) {
	z := seed ^ (uint64(bx)<<32 | uint64(by)) // SplitMix64's finaliser (Steele et al. 2014)
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	z ^= z >> 31
	return int(z%grainSide) &^ 1, int(z>>32%grainSide) &^ 1
}
