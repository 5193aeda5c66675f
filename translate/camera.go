package translate

import (
	"errors"
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"slices"
	"sync"

	"t2sda/internal/raster"
)

// CameraOptions are how much images differ from one another at random, beyond
// what the model says. The zero value draws nothing but the noise.
type CameraOptions struct {
	Exposure float64 // deviation of the exposure, stops
	Cast     float64 // deviation of a colour cast along U and along V, grey levels at luma 128
	Strength float64 // blur and noise are multiplied by U(1 − Strength, 1 + Strength), [0, 1]
}

// DefaultCameraOptions returns small differences.
func DefaultCameraOptions() CameraOptions {
	return CameraOptions{Exposure: 0.1, Cast: 2, Strength: 0.2}
}

// Validate returns an error that names the field that is out of range.
func (o CameraOptions) Validate() error {
	if err := share("camera.exposure", o.Exposure, 0, 4); err != nil {
		return err
	}
	if err := share("camera.cast", o.Cast, 0, 128); err != nil {
		return err
	}
	return share("camera.strength", o.Strength, 0, 1)
}

// Camera gives images the appearance of the target's camera as a [CameraModel]
// describes it: tone and colour per luma level, blur, light that falls off
// outwards, noise. Nothing moves, so labels stay exact. It is safe for
// concurrent use.
type Camera struct {
	model   *CameraModel
	options CameraOptions
	grains  [axes]grain
	sigma   [axes][levels][2]float32 // fine and coarse noise per luma of the result
	work    sync.Pool                // *cameraWork
}

// toneSteps is the length of tables by luma of the source.
const toneSteps = 4 * levels

// NewCamera prepares a model for use.
func NewCamera(m *CameraModel, o CameraOptions) (*Camera, error) {
	if m == nil {
		return nil, errors.New("translate: camera: no model of the target's camera is given: fit one to the images of both domains (FitCamera)")
	}
	if err := o.Validate(); err != nil {
		return nil, err
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	c := &Camera{model: m, options: o, grains: grains()}
	for axis, n := range m.Noise {
		for y := range levels {
			if n.Fine != nil {
				c.sigma[axis][y] = [2]float32{float32(atLevel(n.Fine, float64(y))), float32(atLevel(n.Coarse, float64(y)))}
			}
		}
	}
	return c, nil
}

// check tells whether a model (read from a file, say) is complete.
func (m *CameraModel) check() error {
	lengths := []struct {
		name       string
		have, want int
	}{
		{"tone", len(m.Tone), levels},
		{"chroma", min(len(m.Chroma[0].Gain), len(m.Chroma[0].Shift), len(m.Chroma[1].Gain), len(m.Chroma[1].Shift)), levels},
	}
	for _, n := range m.Noise {
		if n.Fine != nil || n.Coarse != nil { // else it is not fitted yet
			lengths = append(lengths, struct {
				name       string
				have, want int
			}{"noise", min(len(n.Fine), len(n.Coarse)), noiseBands})
		}
	}
	for _, l := range lengths {
		if l.have != l.want {
			return fmt.Errorf("translate: camera: the model's %s has %d entries instead of %d: fit it anew", l.name, l.have, l.want)
		}
	}
	for _, b := range m.Blur {
		if !(b.Sigma >= 0 && b.Sigma <= mostSigma) {
			return fmt.Errorf("translate: camera: the model has a blur of %v px: fit it anew", b.Sigma)
		}
		if !(b.Glare >= 0 && b.Glare <= mostGlare) || b.Glare > 0 && !slices.Contains(glareWidths[:], b.Wide) {
			return fmt.Errorf("translate: camera: the model has a share %v of glare over %v px: fit it anew", b.Glare, b.Wide)
		}
	}
	if !(m.Vignette >= 0 && m.Vignette <= mostVignette) {
		return fmt.Errorf("translate: camera: the model has a vignette of %v: fit it anew", m.Vignette)
	}
	return nil
}

// cameraDraw is one image's share of chance.
type cameraDraw struct {
	exposure float64    // factor on grey levels
	cast     [2]float64 // U and V over luma
	strength float64    // factor on blur and noise
	seed     uint64     // of the noise
}

// stopsToLevels turns a factor on light into one on grey levels, which are
// about its 2.2th root.
const stopsToLevels = 1 / 2.2

// midGrey is the luma at which CameraOptions.Cast holds: a cast of the light is
// proportional to luma.
const midGrey = 128

// draw takes the same number of draws whatever the options.
func (c *Camera) draw(r *rand.Rand) cameraDraw {
	b := &c.model.Balance
	spread := func(option, add float64) float64 { return math.Hypot(option, add) * r.NormFloat64() }
	return cameraDraw{
		exposure: math.Exp(spread(c.options.Exposure*stopsToLevels*math.Ln2, b.Light.Add)),
		cast:     [2]float64{spread(c.options.Cast/midGrey, b.Cast[0].Add), spread(c.options.Cast/midGrey, b.Cast[1].Add)},
		strength: 1 + c.options.Strength*(2*r.Float64()-1),
		seed:     r.Uint64(),
	}
}

// Translate returns source as the target's camera would have taken it; the
// target is not looked at.
func (c *Camera) Translate(r *rand.Rand, source, _ *raster.Image) (*raster.Image, error) {
	if err := checkImage("source", source); err != nil {
		return nil, err
	}
	return c.apply(source, wholeOf(source), c.draw(r)), nil
}

// TranslateCrop returns a rectangle of what [Camera.Translate] returns, bit for
// bit. The rectangle must lie in the source.
func (c *Camera) TranslateCrop(r *rand.Rand, source, _ *raster.Image, crop image.Rectangle) (*raster.Image, error) {
	if err := checkImage("source", source); err != nil {
		return nil, err
	}
	if crop.Empty() || !crop.In(wholeOf(source)) {
		return nil, fmt.Errorf("translate: crop %v does not lie in an image of %d×%d", crop, source.W, source.H)
	}
	return c.apply(source, crop, c.draw(r)), nil
}

// cameraWork is memory for one image.
type cameraWork struct {
	ycc
	scratch, low []float32
	tables       cameraTables
}

// cameraTables are the maps of luma and chroma by luma of the source, in steps
// of a quarter of a level.
type cameraTables struct {
	tone        [toneSteps]float32
	gain, shift [2][toneSteps]float32
}

// apply translates the crop of the source.
func (c *Camera) apply(source *raster.Image, crop image.Rectangle, d cameraDraw) *raster.Image {
	work, _ := c.work.Get().(*cameraWork)
	if work == nil {
		work = new(cameraWork)
	}
	defer c.work.Put(work)
	blurs := c.model.Blur
	for k := range blurs {
		blurs[k].Sigma *= d.strength
	}
	around := reach(blurs, crop, wholeOf(source))
	work.from(source, around)
	work.tables.fill(c.model, d)
	work.recolour(c.correction(source))
	work.blur(blurs, around, wholeOf(source))
	c.vignette(&work.ycc, around, source)
	out := raster.NewImage(crop.Dx(), crop.Dy())
	c.develop(out, &work.ycc, around, crop, d)
	return out
}

// correction brings an image closer to the source's mean light and colour, as
// far as the model asks for it.
func (c *Camera) correction(source *raster.Image) correction {
	b := &c.model.Balance
	if b.Light.Less == 0 && b.Cast[0].Less == 0 && b.Cast[1].Less == 0 {
		return correction{gain: 1}
	}
	var mean [3]float64
	for k := range mean {
		sum := 0.0
		for row := source.Plane(k); len(row) > 0; row = row[source.W:] {
			part := float32(0)
			for _, v := range row[:source.W] {
				part += v
			}
			sum += float64(part)
		}
		mean[k] = sum / float64(source.W*source.H)
	}
	y := 0.299*mean[0] + 0.587*mean[1] + 0.114*mean[2]
	return b.correct(newLook(y, mean[2]-y, mean[0]-y))
}

// fill tabulates the model under one draw.
func (t *cameraTables) fill(m *CameraModel, d cameraDraw) {
	at := func(v []float64, i int) float64 { return between(v, float64(i)*levels/toneSteps) }
	for i := range toneSteps {
		t.tone[i] = float32(d.exposure * at(m.Tone, i))
		for c := range m.Chroma {
			t.gain[c][i] = float32(d.exposure * at(m.Chroma[c].Gain, i))
			t.shift[c][i] = float32(d.exposure * (at(m.Chroma[c].Shift, i) + d.cast[c]*at(m.Tone, i)))
		}
	}
}

// recolour corrects and maps luma and chroma in place.
func (w *cameraWork) recolour(c correction) {
	gain := float32(c.gain)
	castU, castV := gain*float32(c.cast[0]), gain*float32(c.cast[1])
	y, u, v := w.y, w.u[:len(w.y)], w.v[:len(w.y)]
	t := &w.tables
	for i := range y {
		k := min(uint(clip255(gain*y[i])*(toneSteps/levels)+0.5), toneSteps-1)
		u[i] = t.gain[0][k]*(gain*u[i]-castU*y[i]) + t.shift[0][k]
		v[i] = t.gain[1][k]*(gain*v[i]-castV*y[i]) + t.shift[1][k]
		y[i] = t.tone[k]
	}
}

// blur applies the point spreads of luma and chroma to the planes, the rectangle
// around of an image of the given bounds.
func (w *cameraWork) blur(blurs [2]Blur, around, bounds image.Rectangle) {
	for axis, plane := range w.axes() {
		b := blurs[min(axis, 1)]
		if half := gaussKernel(b.Sigma); len(half) > 1 {
			w.scratch = grown(w.scratch, len(plane))
			// A reflection is at most as far away as the image is wide.
			blurRows(w.scratch, plane, w.w, half[:min(len(half), bounds.Dx())])
			blurColumns(plane, w.scratch, w.w, w.h, half[:min(len(half), bounds.Dy())])
		}
		if b.Glare > 0 {
			w.scatter(plane, b, around, bounds)
		}
	}
}

// reach returns the rectangle of an image that a crop's result depends on, or
// more. It begins at whole cells of both blurs.
func reach(blurs [2]Blur, crop, bounds image.Rectangle) image.Rectangle {
	far, cell := 0, 1
	for _, b := range blurs {
		r := gaussRadius(b.Sigma)
		if b.Glare > 0 {
			r += (len(glareKernel) + 1) * b.cell()
			cell = max(cell, b.cell())
		}
		far = max(far, r)
	}
	around := crop.Inset(-far)
	around.Min.X -= (around.Min.X%cell + cell) % cell
	around.Min.Y -= (around.Min.Y%cell + cell) % cell
	return around.Intersect(bounds)
}

// vignette multiplies the planes, a rectangle of the source, by the gain
// (1 − v·ρ²) / (1 − v/3): ⅓ is the mean of ρ² over a rectangle, so that the
// tone stays on the whole.
func (c *Camera) vignette(p *ycc, around image.Rectangle, source *raster.Image) {
	v := c.model.Vignette
	if v == 0 {
		return
	}
	cx, cy := float64(source.W-1)/2, float64(source.H-1)/2
	diagonal2 := (float64(source.W)*float64(source.W) + float64(source.H)*float64(source.H)) / 4
	norm := 1 / (1 - v/3)
	along := make([]float32, p.w)
	for x := range along {
		d := float64(around.Min.X+x) - cx
		along[x] = float32(norm * v * d * d / diagonal2)
	}
	for y := range p.h {
		d := float64(around.Min.Y+y) - cy
		top := float32(norm * (1 - v*d*d/diagonal2))
		for _, plane := range p.axes() {
			row := plane[y*p.w : (y+1)*p.w]
			for x := range row {
				row[x] *= top - along[x]
			}
		}
	}
}

// develop adds noise and writes the crop's RGB, clipped to 0–255.
func (c *Camera) develop(out *raster.Image, p *ycc, around, crop image.Rectangle, d cameraDraw) {
	red, green, blue := planes(out)
	i := 0
	for y := crop.Min.Y; y < crop.Max.Y; y++ {
		at := (y-around.Min.Y)*p.w + crop.Min.X - around.Min.X
		for x := crop.Min.X; x < crop.Max.X; {
			n := min(grainCell-x%grainCell, crop.Max.X-x) // to the block's end
			row := ycc{w: n, h: 1, y: p.y[at : at+n], u: p.u[at : at+n], v: p.v[at : at+n]}
			c.addNoise(&row, x, y, d)
			row.rgb(red[i:i+n], green[i:i+n], blue[i:i+n])
			x, at, i = x+n, at+n, i+n
		}
	}
}

// addNoise adds the noise of a piece of row y of the image that begins at x and
// lies in one block.
func (c *Camera) addNoise(row *ycc, x, y int, d cameraDraw) {
	ox, oy := grainOffset(d.seed, x/grainCell, y/grainCell)
	from := (oy+y)%grainSide*grainStride + ox + x%grainCell
	strength := float32(d.strength)
	var bands [grainCell]uint8 // luma before noise, rounded
	for i, v := range row.y {
		bands[i] = uint8(clip255(v) + 0.5)
	}
	for axis, plane := range row.axes() {
		g, sigma := &c.grains[axis], &c.sigma[axis]
		fine, coarse := g.fine[from:from+len(plane)], g.coarse[from:from+len(plane)]
		for i, l := range bands[:len(plane)] {
			s := &sigma[l]
			plane[i] += strength * (s[0]*fine[i] + s[1]*coarse[i])
		}
	}
}

// rgb converts a row.
func (p *ycc) rgb(red, green, blue []float32) {
	for i := range red {
		r, g, b := rgb(p.y[i], p.u[i], p.v[i])
		red[i], green[i], blue[i] = clip255(r), clip255(g), clip255(b)
	}
}
