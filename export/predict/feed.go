package predict

import (
	"fmt"

	"t2sda/graphs/engine"
	"t2sda/internal/pad"
	"t2sda/internal/raster"
)

// OpenBytes is [Open] of a model of t2sda that is no file yet; name is for errors.
func OpenBytes(e *engine.Engine, name string, model []byte) (*Predictor, error) {
	return Options{}.open(name, func(s engine.SessionOptions) (*engine.Session, error) { return e.NewSessionWith(name, model, s) })
}

// Feed returns the image as what the model's session takes, as one run sees it, of several windows
// the middle one: for those who run variations of the model.
func (p *Predictor) Feed(img *raster.Image) (map[string]*engine.Tensor, error) {
	if img.W <= 0 || img.H <= 0 {
		return nil, fmt.Errorf("model %s: image of %d×%d pixels", p.name, img.W, img.H)
	}
	if _, err := p.infer.demand(img.W, img.H); err != nil {
		return nil, fmt.Errorf("model %s: %w", p.name, err)
	}
	w, h := p.infer.base(img.W, img.H)
	windows := p.infer.windows(w, h, pad.Size{})
	part := windows[len(windows)/2]
	s := &slot{p: p, w: part.w, h: part.h}
	if err := s.allocate(p.infer.continued(pad.Size{W: s.w, H: s.h})[0]); err != nil {
		return nil, fmt.Errorf("model %s: %w", p.name, err)
	}
	s.fill(sized(img.RGB(), img.W, img.H, w, h), w, h, part, false)
	return map[string]*engine.Tensor{p.in.name: s.in}, nil
}
