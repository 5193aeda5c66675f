package streets

import (
	"math"
	"math/rand/v2"

	"t2sda/internal/raster"
)

// film is what happens to the light between the lens and the file.
type film struct {
	exposure float32
	balance  rgb     // white balance error or colour grade
	black    float32 // lift of the shadows, in output units 0–1
	contrast float32 // strength of the S-curve
	gamma    float32
	saturate float32
	vignette float32 // loss of light in the corners
	blur     float32 // σ of the optics in output pixels
	motion   float32 // blur along the driving direction at the edge, pixels
	sharpen  float32 // unsharp amount
	shot     float32 // photon noise: variance per unit of light
	read     float32 // sensor noise: σ in light
	chroma   bool    // colour at half resolution, as JPEG stores it
}

// filmOf draws the pipeline of one picture. A game has a tone-mapped, graded,
// noise-free picture; a camera has optics, a sensor and a compressor.
func filmOf(d Domain, r *rand.Rand) *film {
	u := func(lo, hi float32) float32 { return lo + (hi-lo)*r.Float32() }
	if d == Game {
		warm := u(-0.03, 0.06)
		return &film{
			exposure: u(0.85, 1.1), balance: rgb{1 + warm, 1, 1 - warm}, black: 0, contrast: u(0.35, 0.6), gamma: 2.2,
			saturate: u(0.95, 1.2), vignette: u(0, 0.08), sharpen: u(0.1, 0.35),
		}
	}
	cast := u(-0.05, 0.05)
	return &film{
		exposure: u(0.75, 1.15), balance: rgb{0.95 + cast, 1.02, 0.97 - cast}, black: u(0.01, 0.035), contrast: u(0.2, 0.45), gamma: 2.1,
		saturate: u(0.75, 1), vignette: u(0.12, 0.35), blur: u(0.35, 0.7), motion: u(0, 1.4),
		shot: u(0.0004, 0.0016), read: u(0.002, 0.006), chroma: true,
	}
}

// develop reduces the samples to pixels and runs the film pipeline.
func (s *scene) develop(fm *film, r *rand.Rand, w, h int) (*raster.Image, *raster.Labels) {
	img, lab := raster.NewImage(w, h), raster.NewLabels(w, h)
	s.reduce(img, lab)
	scratch := make([]float32, w*h)
	if fm.blur > 0 {
		for c := range 3 {
			blur(img.Plane(c), scratch, w, h, fm.blur)
		}
	}
	if fm.motion > 0.3 {
		s.smear(img, fm.motion)
	}
	fm.expose(img, r)
	if fm.sharpen > 0 {
		for c := range 3 {
			sharpen(img.Plane(c), scratch, w, h, fm.sharpen)
		}
	}
	if fm.chroma {
		halveChroma(img)
	}
	for i, v := range img.Pix {
		img.Pix[i] = float32(int32(min(max(v, 0), 255) + 0.5))
	}
	return img, lab
}

// reduce averages the four samples of every pixel after adding haze and gives
// the pixel the label that most of them have; a tie goes to the nearest.
func (s *scene) reduce(img *raster.Image, lab *raster.Labels) {
	red, green, blue := img.Plane(0), img.Plane(1), img.Plane(2)
	air := s.light.rim
	for y := range img.H {
		for x := range img.W {
			a := (y*s.w + x) * superSampling
			ids := [4]int{a, a + 1, a + s.w, a + s.w + 1}
			var sum rgb
			var best, most int
			for _, i := range ids {
				sum = sum.add(s.col[i])
			}
			l := s.lab[a]
			if s.lab[a+1] != l || s.lab[a+s.w] != l || s.lab[a+s.w+1] != l {
				for k, i := range ids {
					n := 0
					for _, j := range ids {
						if s.lab[i] == s.lab[j] {
							n++
						}
					}
					if n > most || n == most && s.depth[i] > s.depth[ids[best]] {
						best, most = k, n
					}
				}
			}
			i := ids[best]
			sum = sum.mul(0.25)
			if d := s.depth[i]; d > 0 {
				sum = sum.mix(air, 1-haze(s.light.haze/d))
			}
			o := y*img.W + x
			lab.Pix[o] = s.lab[i]
			red[o], green[o], blue[o] = sum.r, sum.g, sum.b
		}
	}
}

// haze approximates exp(-x) for x ≥ 0 within 1 % of the range.
func haze(x float32) float32 {
	t := 1 / (1 + x*(0.25+x*0.03))
	t *= t
	return t * t
}

// blur is a separable three-tap Gaussian-like filter of variance σ².
func blur(p, tmp []float32, w, h int, sigma float32) {
	k := min(sigma*sigma/2, 0.3) // side weight: variance of (k, 1-2k, k) is 2k
	m := 1 - 2*k
	for y := range h {
		row, out := p[y*w:(y+1)*w], tmp[y*w:(y+1)*w]
		out[0] = row[0]*(m+k) + row[1]*k
		for x := 1; x < w-1; x++ {
			out[x] = row[x]*m + (row[x-1]+row[x+1])*k
		}
		out[w-1] = row[w-1]*(m+k) + row[w-2]*k
	}
	for y := range h {
		up, dn := max(y-1, 0)*w, min(y+1, h-1)*w
		a, b, c := tmp[up:up+w], tmp[y*w:(y+1)*w], tmp[dn:dn+w]
		out := p[y*w : (y+1)*w]
		for x := range out {
			out[x] = b[x]*m + (a[x]+c[x])*k
		}
	}
}

// sharpen adds amount times the difference to a blurred copy.
func sharpen(p, tmp []float32, w, h int, amount float32) {
	blurred := append([]float32(nil), p...)
	blur(blurred, tmp, w, h, 0.7)
	for i, v := range p {
		p[i] = v + amount*(v-blurred[i])
	}
}

// smear blurs along the lines through the centre of expansion, growing to
// the edge, as driving forward during the exposure does.
func (s *scene) smear(img *raster.Image, amount float32) {
	w, h := img.W, img.H
	step := amount / float32(w/2)
	for c := range 3 {
		p := img.Plane(c)
		src := append([]float32(nil), p...)
		for y := range h {
			dy := (float32(y) - float32(h)/2) * step
			for x := range w {
				dx := (float32(x) - float32(w)/2) * step
				x1 := min(max(int(float32(x)-dx+0.5), 0), w-1)
				y1 := min(max(int(float32(y)-dy+0.5), 0), h-1)
				if i, j := y*w+x, y1*w+x1; i != j {
					p[i] = 0.5 * (src[i] + src[j])
				}
			}
		}
	}
}

// toneSteps is the size of the tone curve's table over the square root of
// light from 0 to 2.
const toneSteps = 2048

// tone tabulates the transfer from light to 0–255.
func (fm *film) tone() *[toneSteps + 1]float32 {
	var t [toneSteps + 1]float32
	for i := range t {
		q := float64(i) / toneSteps * 2
		x := q * q
		x = x * (1 + x/6.25) / (1 + x*0.62) // shoulder (Reinhard with a white point)
		v := math.Pow(min(x*1.15, 1), 1/float64(fm.gamma))
		v += float64(fm.contrast) * (v*v*(3-2*v) - v)
		t[i] = float32(255 * (float64(fm.black) + (1-float64(fm.black))*v))
	}
	return &t
}

// expose applies vignette, exposure, noise, tone curve and saturation.
func (fm *film) expose(img *raster.Image, r *rand.Rand) {
	tone := fm.tone()
	gauss := tables().gauss
	red, green, blue := img.Plane(0), img.Plane(1), img.Plane(2)
	gain := fm.balance.mul(fm.exposure)
	state := r.Uint32() | 1
	noisy := func(v float32) float32 {
		if fm.read > 0 {
			state ^= state << 13
			state ^= state >> 17
			state ^= state << 5
			v += gauss[state>>20] * sqrt(fm.read*fm.read+fm.shot*max(v, 0))
		}
		return tone[int(min(sqrt(max(v, 0)), 2)*(toneSteps/2))]
	}
	iw := 2 / float32(img.W)
	for y := range img.H {
		dy := (float32(y)+0.5)*iw - float32(img.H)/float32(img.W)
		for x := range img.W {
			i := y*img.W + x
			dx := (float32(x)+0.5)*iw - 1
			g := 1 - fm.vignette*(dx*dx+dy*dy)*0.8
			a, b, c := noisy(red[i]*gain.r*g), noisy(green[i]*gain.g*g), noisy(blue[i]*gain.b*g)
			l := 0.299*a + 0.587*b + 0.114*c
			red[i], green[i], blue[i] = l+(a-l)*fm.saturate, l+(b-l)*fm.saturate, l+(c-l)*fm.saturate
		}
	}
}

// halveChroma averages the colour differences over 2×2 pixels and keeps the
// luminance, as 4:2:0 storage does.
func halveChroma(img *raster.Image) {
	w := img.W
	red, green, blue := img.Plane(0), img.Plane(1), img.Plane(2)
	for y := 0; y+1 < img.H; y += 2 {
		for x := 0; x+1 < w; x += 2 {
			ids := [4]int{y*w + x, y*w + x + 1, (y+1)*w + x, (y+1)*w + x + 1}
			var luma [4]float32
			var cr, cb float32
			for k, i := range ids {
				luma[k] = 0.299*red[i] + 0.587*green[i] + 0.114*blue[i]
				cr += red[i] - luma[k]
				cb += blue[i] - luma[k]
			}
			cr, cb = cr/4, cb/4
			for k, i := range ids {
				red[i], blue[i] = luma[k]+cr, luma[k]+cb
				green[i] = luma[k] - (0.299*cr+0.114*cb)/0.587
			}
		}
	}
}
