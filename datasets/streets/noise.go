package streets

import (
	"math/rand/v2"
	"sync"
)

// noiseSize is the period of the tables in cells; a power of two.
const noiseSize = 256

// noise is a periodic table of smooth random values, looked up at the nearest
// cell: one load per sample.
type noise [noiseSize * noiseSize]float32

// at is the value in [-0.5, 0.5] at (u, v) in cells.
func (n *noise) at(u, v float32) float32 {
	const far = 1 << 15 // makes the truncation a floor for all that occurs
	return n[(int32(v+far)&(noiseSize-1))*noiseSize+int32(u+far)&(noiseSize-1)]
}

// noises are the tables that all textures share.
type noises struct {
	cloud *noise // features of 8 to 64 cells
	grain *noise // features of 1 to 4 cells
	leaf  *noise // features of 4 to 16 cells, strong contrast
	gauss *[4096]float32
}

// tables builds the noise once; it is read only afterwards and the same in
// every run.
var tables = sync.OnceValue(func() *noises {
	r := rand.New(rand.NewPCG(0x73747265, 0x65747321))
	n := &noises{
		cloud: fractal(r, 64, 32, 16, 8, 4),
		grain: fractal(r, 4, 2, 1),
		leaf:  fractal(r, 16, 8, 4, 2),
		gauss: new([4096]float32),
	}
	for i := range n.gauss {
		n.gauss[i] = float32(r.NormFloat64())
	}
	return n
})

// fractal sums value noise on lattices of the given spacings (cells), each
// with amplitude ∝ spacing^0.6, and stretches the sum to [-0.5, 0.5].
func fractal(r *rand.Rand, spacings ...int) *noise {
	var n noise
	for _, s := range spacings {
		octave(r, &n, s, pow(float32(s), 0.6))
	}
	lo, hi := n[0], n[0]
	for _, v := range n {
		lo, hi = min(lo, v), max(hi, v)
	}
	for i, v := range n {
		n[i] = (v-lo)/(hi-lo) - 0.5
	}
	return &n
}

// octave adds value noise of one spacing, interpolated by smoothstep.
func octave(r *rand.Rand, n *noise, s int, amp float32) {
	m := noiseSize / s
	lattice := make([]float32, m*m)
	for i := range lattice {
		lattice[i] = amp * float32(r.Float64()-0.5)
	}
	for y := range noiseSize {
		y0, ty := y/s, smooth(float32(y%s)/float32(s))
		y1 := (y0 + 1) % m
		for x := range noiseSize {
			x0, tx := x/s, smooth(float32(x%s)/float32(s))
			x1 := (x0 + 1) % m
			a := lerp(lattice[y0*m+x0], lattice[y0*m+x1], tx)
			b := lerp(lattice[y1*m+x0], lattice[y1*m+x1], tx)
			n[y*noiseSize+x] += lerp(a, b, ty)
		}
	}
}

func smooth(t float32) float32 { return t * t * (3 - 2*t) }

// hash mixes lattice coordinates into 32 random bits.
func hash(a, b int32, seed uint32) uint32 {
	h := uint32(a)*0x9e3779b1 ^ uint32(b)*0x85ebca77 ^ seed
	h ^= h >> 15
	h *= 0x2c1b3c6d
	h ^= h >> 13
	h *= 0x297a2d39
	return h ^ h>>16
}

// unit maps the upper bits of a hash to [0, 1).
func unit(h uint32) float32 { return float32(h>>8) * (1.0 / (1 << 24)) }
