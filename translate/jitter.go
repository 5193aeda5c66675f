package translate

import (
	"math/rand/v2"

	"t2sda/internal/raster"
)

// ColorJitter changes brightness, contrast, saturation and hue at random, in
// random order. The operations are torchvision's ColorJitter on float tensors,
// carried over from [0,1] to 0–255:
//
//	brightness  clip(f·x)                        f ~ U(max(0, 1−Brightness), 1+Brightness)
//	contrast    clip(f·x + (1−f)·mean(gray))     f likewise; the mean of the image at that moment
//	saturation  clip(f·x + (1−f)·gray)           f likewise
//	hue         HSV hue turned by f turns        f ~ U(−Hue, Hue)
//
// with gray = 0.2989 R + 0.587 G + 0.114 B. (Older kornia releases add the
// brightness instead of multiplying by it; this does not.)
type ColorJitter struct {
	Probability float64 // that the image is changed at all, [0, 1]
	Brightness  float64 // ≥ 0
	Contrast    float64 // ≥ 0
	Saturation  float64 // ≥ 0
	Hue         float64 // turns, [0, 0.5]
}

// SimCLRJitter returns SimCLR's colour distortion of the given strength:
// 0.8, 0.8, 0.8 and 0.2 times it (Chen et al., ICML 2020, appendix A;
// strength 1 on ImageNet). As a translation it is always applied: with the
// paper's probability of 0.8 a fifth of the pseudo-targets would be plain
// source images.
func SimCLRJitter(strength float64) ColorJitter {
	return ColorJitter{
		Probability: 1,
		Brightness:  0.8 * strength,
		Contrast:    0.8 * strength,
		Saturation:  0.8 * strength,
		Hue:         0.2 * strength,
	}
}

// Validate returns an error that names the field that is out of range.
func (j ColorJitter) Validate() error {
	const most = 1e3 // no sensible factor is beyond; catches infinities
	for _, f := range []struct {
		name  string
		value float64
		hi    float64
	}{
		{"jitter.probability", j.Probability, 1},
		{"jitter.brightness", j.Brightness, most},
		{"jitter.contrast", j.Contrast, most},
		{"jitter.saturation", j.Saturation, most},
		{"jitter.hue", j.Hue, 0.5},
	} {
		if err := share(f.name, f.value, 0, f.hi); err != nil {
			return err
		}
	}
	return nil
}

// Translate returns a jittered copy of source; the target is not looked at.
func (j ColorJitter) Translate(r *rand.Rand, source, _ *raster.Image) (*raster.Image, error) {
	if err := checkImage("source", source); err != nil {
		return nil, err
	}
	if err := j.Validate(); err != nil {
		return nil, err
	}
	out := source.Clone()
	j.Draw(r).Apply(out)
	return out, nil
}

// JitterOp is one of the four operations of a colour jitter.
type JitterOp uint8

// The operations, in the order in which their factors are drawn.
const (
	Brightness JitterOp = iota
	Contrast
	Saturation
	Hue
)

// JitterParams is one draw of a ColorJitter; the zero value changes nothing.
type JitterParams struct {
	On                               bool
	Order                            [4]JitterOp
	Brightness, Contrast, Saturation float32 // factors; 1 changes nothing
	Hue                              float32 // turns; 0 changes nothing
}

// Draw draws one set of parameters. It takes the same number of draws from r
// whatever the outcome, so that later draws do not depend on it.
func (j ColorJitter) Draw(r *rand.Rand) JitterParams {
	factor := func(strength float64) float32 {
		lo := max(0, 1-strength)
		return float32(lo + (1+strength-lo)*r.Float64())
	}
	p := JitterParams{
		On:         r.Float64() < j.Probability,
		Brightness: factor(j.Brightness),
		Contrast:   factor(j.Contrast),
		Saturation: factor(j.Saturation),
		Hue:        float32(j.Hue * (2*r.Float64() - 1)),
		Order:      [4]JitterOp{Brightness, Contrast, Saturation, Hue},
	}
	for i := len(p.Order) - 1; i > 0; i-- { // Fisher–Yates
		k := int(r.Float64() * float64(i+1))
		p.Order[i], p.Order[k] = p.Order[k], p.Order[i]
	}
	return p
}

// Apply changes the image in place.
func (p JitterParams) Apply(m *raster.Image) {
	if !p.On {
		return
	}
	for _, op := range p.Order {
		switch op {
		case Brightness:
			adjustBrightness(m, p.Brightness)
		case Contrast:
			adjustContrast(m, p.Contrast)
		case Saturation:
			adjustSaturation(m, p.Saturation)
		case Hue:
			adjustHue(m, p.Hue)
		}
	}
}

// clip255 limits v to 0–255 (faster than the NaN-aware built-ins).
func clip255(v float32) float32 {
	if v < 0 {
		return 0
	}
	if v > 255 {
		return 255
	}
	return v
}

// gray is torchvision's luminance.
func gray(r, g, b float32) float32 { return 0.2989*r + 0.587*g + 0.114*b }

func adjustBrightness(m *raster.Image, f float32) {
	if f == 1 {
		return
	}
	for i, v := range m.Pix {
		m.Pix[i] = clip255(f * v)
	}
}

func adjustContrast(m *raster.Image, f float32) {
	if f == 1 {
		return
	}
	red, green, blue := planes(m)
	var sum float64
	for i := range red {
		sum += float64(gray(red[i], green[i], blue[i]))
	}
	offset := (1 - f) * float32(sum/float64(len(red)))
	for i, v := range m.Pix {
		m.Pix[i] = clip255(f*v + offset)
	}
}

func adjustSaturation(m *raster.Image, f float32) {
	if f == 1 {
		return
	}
	red, green, blue := planes(m)
	for i := range red {
		offset := (1 - f) * gray(red[i], green[i], blue[i])
		red[i], green[i], blue[i] = clip255(f*red[i]+offset), clip255(f*green[i]+offset), clip255(f*blue[i]+offset)
	}
}

// adjustHue turns the hue of the HSV hexcone. Value (the largest channel) and
// chroma (largest − smallest) stay; with the hue h in sextants, the channels
// are value − chroma·clamp(min(k, 4−k), 0, 1), k = (n + h) mod 6, for
// n = 5, 3, 1.
func adjustHue(m *raster.Image, turns float32) {
	if turns == 0 {
		return
	}
	red, green, blue := planes(m)
	shift := 6 * turns
	for i := range red {
		r, g, b := red[i], green[i], blue[i]
		value := max(r, g, b)
		chroma := value - min(r, g, b)
		if chroma == 0 {
			continue // gray has no hue
		}
		var h float32 // sextants, −1…5
		switch value {
		case r:
			h = (g - b) / chroma
		case g:
			h = 2 + (b-r)/chroma
		default:
			h = 4 + (r-g)/chroma
		}
		h += shift
		red[i] = value - chroma*wave(5+h)
		green[i] = value - chroma*wave(3+h)
		blue[i] = value - chroma*wave(1+h)
	}
}

// wave returns clamp(min(k mod 6, 4 − k mod 6), 0, 1) for −6 ≤ k < 18.
func wave(k float32) float32 {
	if k < 0 {
		k += 6
	}
	for k >= 6 {
		k -= 6
	}
	switch {
	case k < 1:
		return k
	case k <= 3:
		return 1
	case k < 4:
		return 4 - k
	}
	return 0
}

// planes returns the channels, of equal length to the compiler's eye.
func planes(m *raster.Image) (red, green, blue []float32) {
	red = m.Plane(0)
	return red, m.Plane(1)[:len(red)], m.Plane(2)[:len(red)]
}
