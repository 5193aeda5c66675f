package translate

import (
	"math"
	"math/rand/v2"

	"t2sda/internal/raster"
)

// frost is ice on the windscreen: needles that grow in from the rim and branch at
// 60°, as ice does, over a film through which things blur.
func frost(r *rand.Rand, m *raster.Image, severity float64) {
	depth := ramp(severity, 0.10, 0.42) // of the film, in picture heights
	film := iceFilm(r, m.W, m.H, depth)
	g := grower{r: r, f: newField(m.W, m.H), height: float64(m.H)}
	for range int(ramp(severity, 10, 26) * (1 + g.f.aspect())) {
		g.seed(depth * (0.5 + 0.9*r.Float64()))
	}
	ice := airOf(m, 1.12)
	blurred := m.Clone()
	BlurParams{Sigma: max(0.006*float64(m.H), 0.3)}.Apply(blurred)
	for c := range 3 {
		plane, soft := m.Plane(c), blurred.Plane(c)
		for i, v := range plane {
			a := film.v[i]
			v += min(1.6*a, 1) * (soft[i] - v)
			plane[i] = v + 0.5*a*(ice[c]-v)
		}
	}
	lay(m, g.f, lighter(ice, 1.1))
}

// iceFilm returns the film's cover, 0–1: whole at the rim, with a ragged edge at a
// depth in picture heights.
func iceFilm(r *rand.Rand, w, h int, depth float64) *field {
	const ragged = 2.6 // the fractal's values lie close around 1/2
	f := clouds(r, w, h, float64(h)/5, 5)
	for y := range h {
		for x := range w {
			inside := float64(min(x, w-1-x, y, h-1-y)) / float64(h)
			edge := inside/depth + ragged*float64(f.v[y*w+x]-0.5)
			f.v[y*w+x] = 1 - smoothstep(0.1, 1, float32(edge))
		}
	}
	return f
}

// grower grows needles of ice on a field.
type grower struct {
	r      *rand.Rand
	f      *field
	height float64 // px
}

// seed grows a needle from a place at the rim, inwards, of a length in picture
// heights.
func (g *grower) seed(length float64) {
	w, h := float64(g.f.w), float64(g.f.h)
	at := g.r.Float64() * 2 * (w + h)
	var x, y, angle float64
	switch { // the four sides, unrolled
	case at < w:
		x, y, angle = at, 0, math.Pi/2
	case at < 2*w:
		x, y, angle = at-w, h, -math.Pi/2
	case at < 2*w+h:
		x, y, angle = 0, at-2*w, 0
	default:
		x, y, angle = w, at-2*w-h, math.Pi
	}
	angle += 1.5 * (g.r.Float64() - 0.5)
	g.grow(x, y, angle, length*g.height, 2)
}

// grow draws a needle, slightly bent, with side needles at about 60° to both sides,
// which are shorter towards its tip and have some of their own, down to a depth.
func (g *grower) grow(x, y, angle, length float64, depth int) {
	sigma := max(0.0011*g.height*(1+0.5*float64(depth)), 0.4)
	step := max(0.027*g.height/float64(4-depth), 2) // mean distance of side needles, px
	bend := 1.2 * (g.r.Float64() - 0.5) / max(length/step, 1)
	for done := 0.0; done < length; {
		next := step * (0.6 + 0.8*g.r.Float64())
		done += next
		left := max(1-done/length, 0)
		sin, cos := math.Sincos(angle)
		nx, ny := x+next*cos, y+next*sin
		g.f.cover(stroke{
			x0: x, y0: y, x1: nx, y1: ny,
			sigma: sigma * (0.5 + 0.5*left), opacity: float32(0.16 + 0.12*float64(depth)*left),
		})
		if depth > 0 {
			g.branch(nx, ny, angle, left*length, depth-1)
		}
		x, y, angle = nx, ny, angle+bend
	}
}

// branch grows a needle to either side, most of the time.
func (g *grower) branch(x, y, angle, length float64, depth int) {
	for _, side := range []float64{-math.Pi / 3, math.Pi / 3} {
		if g.r.Float64() < 0.7 {
			g.grow(x, y, angle+side+0.35*(g.r.Float64()-0.5), length*(0.1+0.35*g.r.Float64()), depth)
		}
	}
}
