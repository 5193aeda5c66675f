package translate

import (
	"math"
	"math/rand/v2"
	"sync"
)

const (
	grainSide = 256 // of the tile of noise, pixels; a power of 2
	grainCell = 64  // blocks of the image that take noise from the tile at an offset of their own
)

// grain is a tile of noise of unit deviation per axis. Rows are grainCell longer
// than the tile is wide: they go on with their beginning, so that a block's row
// is one piece.
type grain [axes][]float32

const grainStride = grainSide + grainCell

// newGrain mixes white noise and noise of half its resolution in the given
// shares of the deviation.
func newGrain(fine, coarse [axes]float64) *grain {
	g := &grain{}
	for axis := range axes {
		white, soft := grainFields(uint64(axis))
		norm := math.Hypot(fine[axis], coarse[axis])
		g[axis] = make([]float32, grainSide*grainStride)
		if norm == 0 {
			continue
		}
		a, b := float32(fine[axis]/norm), float32(coarse[axis]/norm)
		for y := range grainSide {
			for x := range grainStride {
				i := y*grainSide + x%grainSide
				g[axis][y*grainStride+x] = a*white[i] + b*soft[i]
			}
		}
	}
	return g
}

// grainFields returns white Gaussian noise and bilinearly enlarged white noise
// of half the resolution, both of unit deviation, on a torus.
func grainFields(stream uint64) (white, soft []float32) {
	r := rand.New(rand.NewPCG(0x6772_6169_6e, stream))
	white, soft = make([]float32, grainSide*grainSide), make([]float32, grainSide*grainSide)
	const half = grainSide / 2
	small := make([]float32, half*half)
	for i := range white {
		white[i] = float32(r.NormFloat64())
	}
	for i := range small {
		small[i] = float32(r.NormFloat64())
	}
	var energy float64
	for y := range grainSide {
		for x := range grainSide {
			// The nearest sample weighs ¾ along each axis, the next one ¼.
			x0, y0 := x/2, y/2
			x1, y1 := (x0+2*(x&1)-1+half)%half, (y0+2*(y&1)-1+half)%half
			v := 9*small[y0*half+x0] + 3*(small[y0*half+x1]+small[y1*half+x0]) + small[y1*half+x1]
			soft[y*grainSide+x] = v
			energy += float64(v) * float64(v)
		}
	}
	scaled(soft, float32(1/math.Sqrt(energy/float64(len(soft)))))
	return white, soft
}

// grainEnergies returns the mean squares of the soft field's diagonal Haar
// coefficients at the finest and the next scale.
var grainEnergies = sync.OnceValues(func() (fine, coarse float64) {
	_, soft := grainFields(0)
	return diagonalEnergy(soft, grainSide), diagonalEnergy(halve(soft, grainSide, grainSide), grainSide/2)
})

func diagonalEnergy(plane []float32, side int) float64 {
	sum := 0.0
	for y := 0; y < side; y += 2 {
		for x := 0; x < side; x += 2 {
			i := y*side + x
			d := float64(plane[i]-plane[i+1]-plane[i+side]+plane[i+side+1]) / 2
			sum += d * d
		}
	}
	return sum / float64(side*side/4)
}

// offset returns where in the tile the block (bx, by) of an image takes its
// noise from.
func grainOffset(seed uint64, bx, by int) (x, y int) {
	z := seed ^ (uint64(bx)<<32 | uint64(by)) // SplitMix64's finaliser (Steele et al. 2014)
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	z ^= z >> 31
	return int(z % grainSide), int(z >> 32 % grainSide)
}
