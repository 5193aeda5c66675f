package translate

import (
	"math"
	"math/rand/v2"
	"slices"

	"t2sda/internal/raster"
)

// haze is air that scatters light: what lies at distance z keeps the share
// t = e^(−βz) of its colour and takes the air's for the rest (Koschmieder 1924;
// Narasimhan and Nayar, "Vision and the Atmosphere", IJCV 2002).
// Visibility is where t is 5 %: β = 3/V.
type haze struct {
	visibility float64    // V, m
	air        [3]float32 // colour of the air, 0–255
	patches    float64    // β varies by ± this share from place to place
}

// What is assumed of a street scene of which no depth is known.
const (
	cameraHeight   = 1.5  // m above the road
	wallDistance   = 9.0  // m from the camera's path to what stands beside the road
	buildingHeight = 14.0 // m above the camera, of what stands before the sky
	focal          = 0.9  // focal length in picture heights: 58° from top to bottom
	endOfSight     = 350. // m; also the sky
	shrinking      = 4    // px of a small pixel's side
)

// distances guesses how far away things are, m, of a small picture: those of a
// road plane and of walls beside it, which meet in a vanishing point near the
// centre, and the sky's. A camera on a car sees most streets like that; where it
// does not, haze is still thickest in the middle and above.
func distances(r *rand.Rand, m *raster.Image) *field {
	sky := skyOf(m)
	out := newField(sky.w, sky.h)
	height := float64(sky.h)
	y0 := height * (0.42 + 0.06*r.Float64())
	x0 := float64(sky.w) * (0.45 + 0.1*r.Float64())
	for y := range out.h {
		down := (float64(y) + 0.5 - y0) / height
		for x := range out.w {
			aside := math.Abs(float64(x)+0.5-x0) / height
			near := max(down/cameraHeight, -down/buildingHeight, aside/wallDistance, focal/endOfSight) // 1/m, times the focal length
			z := focal / near
			if s := float64(sky.v[y*sky.w+x]); down < 0 {
				z += s * (endOfSight - z)
			}
			out.v[y*out.w+x] = float32(z)
		}
	}
	return out
}

// skyOf guesses which pixels of the small picture are sky, 0–1: what is as blue
// as the bluest of the picture, from its top downwards.
func skyOf(m *raster.Image) *field {
	blue := (&field{m.W, m.H, m.Plane(2)}).shrunk(shrinking)
	red := (&field{m.W, m.H, m.Plane(0)}).shrunk(shrinking)
	top := slices.Clone(blue.v[:max(len(blue.v)/2, 1)])
	slices.Sort(top)
	bright := max(top[len(top)*19/20], 40)
	for x := range blue.w {
		run := float32(1)
		for y := range blue.h {
			i := y*blue.w + x
			s := smoothstep(0.5*bright, 0.75*bright, blue.v[i]) * smoothstep(-40, -10, blue.v[i]-red.v[i])
			if s < run {
				run = s
			} else {
				run += 0.1 * (s - run) // below a lamp or a wire the sky goes on
			}
			blue.v[i] = run
		}
	}
	return blue
}

// airOf returns the colour of foggy air under the picture's light: grey, a bit blue.
func airOf(m *raster.Image, gain float64) [3]float32 {
	l := float32(gain * min(max(95+0.95*meanLuma(m), 110), 215))
	return [3]float32{0.975 * l, l, 1.015 * l}
}

// apply puts the haze between the camera and all things, in place. The
// transmission has the picture's own edges.
func (z haze) apply(r *rand.Rand, m *raster.Image) {
	t := distances(r, m)
	patches := clouds(r, t.w, t.h, float64(t.h)/3, 3)
	for i, d := range t.v {
		density := 1 + z.patches*float64(2*patches.v[i]-1)
		t.v[i] = float32(math.Exp(-3 / z.visibility * density * float64(d)))
	}
	guide := lumaOf(m)
	for i := range guide.v {
		guide.v[i] /= 255
	}
	t = guided(guide, t, shrinking, max(t.h/12, 1), 1e-3)
	for c := range 3 {
		plane, air := m.Plane(c), z.air[c]
		for i, v := range plane {
			plane[i] = air + min(max(t.v[i], 0), 1)*(v-air)
		}
	}
}

// meanLuma returns the mean luma of an image, 0–255.
func meanLuma(m *raster.Image) float64 {
	mean := 0.0
	for c, weight := range []float64{0.299, 0.587, 0.114} {
		sum := 0.0
		for _, v := range m.Plane(c) {
			sum += float64(v)
		}
		mean += weight * sum / float64(m.W*m.H)
	}
	return mean
}
