package translate

import (
	"math"
	"math/rand/v2"

	"t2sda/internal/raster"
)

// Cartoon turns pictures into drawings: surfaces flattened between edges, a few
// levels of light, dark lines along edges, and strong colour (Winnemöller, Olsen and
// Gooch, "Real-Time Video Abstraction", SIGGRAPH 2006; the smoothing is Gastal and
// Oliveira's). The hand that draws differs from picture to picture. Nothing moves.
type Cartoon struct{}

// Translate returns a drawing of source; the target is not looked at.
func (Cartoon) Translate(r *rand.Rand, source, _ *raster.Image) (*raster.Image, error) {
	if err := checkImage("source", source); err != nil {
		return nil, err
	}
	height := float64(source.H)
	draw := func(lo, hi float64) float64 { return lo + (hi-lo)*r.Float64() }
	smooth := draw(0.02, 0.05) * height // px
	contrast := draw(50, 90)            // colour difference that counts as an edge
	levels := draw(6, 10)
	lines := draw(0.0016, 0.0028) * height // px
	darkness := float32(draw(0.6, 0.95))
	saturation := float32(draw(1.15, 1.6))

	out := source.Clone()
	lift(out)
	flatten(out, max(smooth, 1), contrast, 3)
	ink := outlines(lumaOf(out), max(lines, 0.5))
	posterise(out, levels)
	adjustSaturation(out, saturation)
	for i, a := range ink.v {
		ink.v[i] = darkness * a
	}
	lay(out, ink, [3]float32{})
	return out, nil
}

// lift brightens a dark picture in place: drawings are seldom dark. A power brings a
// mean luma below that of drawings to it, as far as twice the stops go.
func lift(m *raster.Image) {
	const drawn = 115.0 / 255
	mean := max(meanLuma(m), 1) / 255
	if mean >= drawn {
		return
	}
	gamma := max(math.Log(drawn)/math.Log(mean), 0.5)
	relight(m, func(l float64) float64 { return 255 * math.Pow(l/255, gamma) })
}

// posterise brings luma near one of some levels in place, with soft steps
// (Winnemöller et al.: luminance
// quantisation).
func posterise(m *raster.Image, levels float64) {
	const sharp = 0.25 // φ_q, per grey level
	step := 255 / levels
	relight(m, func(l float64) float64 {
		nearest := (math.Floor(l/step) + 0.5) * step
		return nearest + step/2*math.Tanh(sharp*(l-nearest))
	})
}

// relight gives luma, 0–255, other values in place, and scales the channels with it.
func relight(m *raster.Image, to func(l float64) float64) {
	const darkest = 6 // below it a factor would be anything
	var factors [257]float32
	for i := range factors {
		factors[i] = float32(to(float64(i)) / max(float64(i), darkest))
	}
	red, green, blue := planes(m)
	for i := range red {
		k := lookUp(factors[:], clip255(luma(red[i], green[i], blue[i])))
		red[i], green[i], blue[i] = clip255(k*red[i]), clip255(k*green[i]), clip255(k*blue[i])
	}
}

// outlines returns where lines are drawn, 0–1: on the dark side of edges, where a
// Gaussian of σ px lies below most of a wider one (Winnemöller et al.: edge detection). It
// takes the luma as its memory.
func outlines(l *field, sigma float64) *field {
	const (
		wider = 1.6   // the ratio of the Gaussians' widths
		most  = 0.985 // τ
		sharp = 0.6   // φ_e, per grey level
	)
	var ink [65]float32 // by how far it lies below, in eighths of a grey level
	for i := range ink {
		ink[i] = float32(math.Tanh(sharp * float64(i) / 8))
	}
	wide := l.clone()
	l.blur(sigma)
	wide.blur(wider * sigma)
	for i, v := range l.v {
		l.v[i] = lookUp(ink[:], 8*min(max(most*wide.v[i]-v, 0), 7.9))
	}
	return l
}
