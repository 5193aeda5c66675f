package translate

import (
	"math"
	"math/rand/v2"

	"t2sda/internal/raster"
)

// particles are drops or flakes of one distance: streaks as long as they fall
// while the shutter is open. Lengths are in picture heights.
type particles struct {
	count   float64 // on a picture as wide as high, at full severity
	length  float64 // of the streak
	sigma   float64 // half width
	opacity float64
	taper   float64 // see stroke
	spread  float64 // lengths, widths and opacities differ by up to this share
	turn    float64 // angles differ from the wind's by up to this, radians
}

// scatter covers the field with a share of the particles, falling at an angle to the
// vertical.
func (p particles) scatter(r *rand.Rand, f *field, angle, share float64) {
	const thinnest = 0.45 // px; thinner lines would break up, and are faint instead
	height := float64(f.h)
	around := func(v float64) float64 { return v * (1 + p.spread*(2*r.Float64()-1)) }
	for range int(p.count * share * f.aspect()) {
		x, y := float64(f.w)*(1.4*r.Float64()-0.2), height*(1.2*r.Float64()-0.1)
		sin, cos := math.Sincos(angle + p.turn*(2*r.Float64()-1))
		length, thin := around(p.length*height), around(p.sigma*height)
		sigma := max(thin, thinnest)
		f.cover(stroke{
			x0: x, y0: y, x1: x + length*sin, y1: y + length*cos,
			sigma: sigma, opacity: float32(around(p.opacity) * math.Sqrt(thin/sigma)), taper: p.taper,
		})
	}
}

// drops and flakes, farthest first: the nearer, the longer, wider and fewer (as Garg
// and Nayar measure of rain, IJCV 2007); near flakes are out of focus.
var (
	drops = []particles{
		{count: 2600, length: 0.04, sigma: 0.0009, opacity: 0.24, taper: 0.5, spread: 0.4, turn: 0.03},
		{count: 650, length: 0.10, sigma: 0.0014, opacity: 0.34, taper: 0.5, spread: 0.4, turn: 0.03},
		{count: 90, length: 0.24, sigma: 0.0028, opacity: 0.30, taper: 0.5, spread: 0.4, turn: 0.03},
	}
	flakes = []particles{
		{count: 3600, length: 0.002, sigma: 0.0014, opacity: 0.6, spread: 0.6, turn: 0.4},
		{count: 600, length: 0.005, sigma: 0.0032, opacity: 0.6, spread: 0.6, turn: 0.3},
		{count: 90, length: 0.016, sigma: 0.009, opacity: 0.4, spread: 0.6, turn: 0.2},
	}
)

// rain is streaks, a haze of the drops that are too far to be told apart, and the
// dull light of a covered sky.
func rain(r *rand.Rand, m *raster.Image, severity float64) {
	air := airOf(m, 0.88)
	dull(m, float32(ramp(severity, 0.9, 0.65)), float32(ramp(severity, 0.85, 0.6)))
	haze{visibility: growing(severity, 500, 120), air: air, patches: 0.1}.apply(r, m)
	fall(r, m, drops, growing(severity, 0.25, 1), 0.35, lighter(air, 1.2))
}

// snow is flakes in bright haze.
func snow(r *rand.Rand, m *raster.Image, severity float64) {
	air := airOf(m, 1.08)
	dull(m, 1, float32(ramp(severity, 0.85, 0.55)))
	haze{visibility: growing(severity, 350, 60), air: air, patches: 0.2}.apply(r, m)
	fall(r, m, flakes, growing(severity, 0.2, 1), 0.7, lighter(air, 1.35))
}

// fall lays particles over the image that all fall at one angle, of up to the given
// one (radians) to either side.
func fall(r *rand.Rand, m *raster.Image, layers []particles, share, slant float64, colour [3]float32) {
	angle := slant * (2*r.Float64() - 1)
	f := newField(m.W, m.H)
	for _, p := range layers {
		p.scatter(r, f, angle, share)
	}
	lay(m, f, colour)
}

// lighter scales a colour, up to next to white.
func lighter(colour [3]float32, by float32) [3]float32 {
	for c, v := range colour {
		colour[c] = min(by*v, 250)
	}
	return colour
}
