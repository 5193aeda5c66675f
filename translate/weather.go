package translate

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"

	"t2sda/internal/raster"
)

// Severities of weather, after Hendrycks and Dietterich (ICLR 2019), who have the
// whole numbers.
const (
	MildestWeather = 1
	WorstWeather   = 5
)

// Weather puts weather into pictures, whatever the target: kinds of ImageNet-C's
// (Hendrycks and Dietterich, ICLR 2019, section 3), made for streets. Lengths are
// shares of the picture's height. Nothing moves, so that labels still hold.
type Weather struct {
	Kinds []string // to draw from, of [WeatherKinds]; empty: all
	// Each picture's severity is drawn evenly between these, from [MildestWeather]
	// to [WorstWeather].
	SeverityMin, SeverityMax float64
}

// weather changes an image in place, with draws from r.
type weather func(r *rand.Rand, m *raster.Image, severity float64)

// weathers holds how each kind is made.
var weathers = map[string]weather{"brightness": brightness, "fog": fog, "frost": frost, "rain": rain, "snow": snow}

// WeatherKinds lists the kinds of weather in alphabetical order.
func WeatherKinds() []string { return slices.Sorted(maps.Keys(weathers)) }

// AllWeather returns every kind at every severity.
func AllWeather() Weather {
	return Weather{SeverityMin: MildestWeather, SeverityMax: WorstWeather}
}

// Validate returns an error that names the field that is out of range.
func (w Weather) Validate() error {
	for _, kind := range w.Kinds {
		if err := oneOf("weather.kinds", kind, WeatherKinds()...); err != nil {
			return err
		}
	}
	if err := share("weather.severity_min", w.SeverityMin, MildestWeather, WorstWeather); err != nil {
		return err
	}
	return share("weather.severity_max", w.SeverityMax, w.SeverityMin, WorstWeather)
}

// Translate returns source in weather that r draws; the target is not looked at.
func (w Weather) Translate(r *rand.Rand, source, _ *raster.Image) (*raster.Image, error) {
	if err := checkImage("source", source); err != nil {
		return nil, err
	}
	if err := w.Validate(); err != nil {
		return nil, err
	}
	kinds := w.Kinds
	if len(kinds) == 0 {
		kinds = WeatherKinds()
	}
	kind := kinds[r.IntN(len(kinds))]
	severity := w.SeverityMin + (w.SeverityMax-w.SeverityMin)*r.Float64()
	out := source.Clone()
	weathers[kind](r, out, severity)
	return out, nil
}

// ramp interpolates from mild (severity 1) to worst (5).
func ramp(severity, mild, worst float64) float64 {
	return mild + (worst-mild)*(severity-MildestWeather)/(WorstWeather-MildestWeather)
}

// growing is ramp for what grows by factors.
func growing(severity, mild, worst float64) float64 {
	return math.Exp(ramp(severity, math.Log(mild), math.Log(worst)))
}

// fog is haze in patches, in light without a sun. At a visibility of 300 m a street's
// end is pale, at 35 m all but the next cars are gone (Foggy Cityscapes has 600, 300
// and 150 m, of true depth: Sakaridis et al., IJCV 2018).
func fog(r *rand.Rand, m *raster.Image, severity float64) {
	dull(m, 1, float32(ramp(severity, 0.9, 0.7)))
	haze{visibility: growing(severity, 300, 35), air: airOf(m, 1), patches: 0.35}.apply(r, m)
}

// brightness is more light than the sensor was set for: exposure with a shoulder, on
// the largest of each pixel's channels, so that hues stay (ImageNet-C adds to HSV's
// value, with the same effect on them). It draws nothing.
func brightness(_ *rand.Rand, m *raster.Image, severity float64) {
	gain := float32(growing(severity, 1.5, 5))
	red, green, blue := planes(m)
	for i := range red {
		v := max(red[i], green[i], blue[i]) / 255
		f := gain / (1 + (gain-1)*v)
		red[i], green[i], blue[i] = clip255(f*red[i]), clip255(f*green[i]), clip255(f*blue[i])
	}
}

// dull scales light and saturation in place.
func dull(m *raster.Image, light, saturation float32) {
	adjustSaturation(m, saturation)
	adjustBrightness(m, light)
}

// lay puts a film of a colour over the image in place, where it covers.
func lay(m *raster.Image, cover *field, colour [3]float32) {
	for c := range 3 {
		plane := m.Plane(c)
		for i, v := range plane {
			plane[i] = clip255(v + cover.v[i]*(colour[c]-v))
		}
	}
}
