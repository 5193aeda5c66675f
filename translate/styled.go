package translate

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"

	"t2sda/internal/raster"
	"t2sda/internal/resize"
	"t2sda/internal/translator"
)

// Styled is an engine that is shown pictures of a set of styles in place of the
// target's: for each image one that its generator draws before the engine draws
// anything. No target image is looked at. A picture of another shape is cut to the
// image's, around its centre, and resized.
type Styled struct {
	engine Engine
	styles Images
}

// NewStyled returns the engine with the styles, of which there must be one at least.
func NewStyled(e Engine, styles Images) (*Styled, error) {
	if styles.Len < 1 {
		return nil, errors.New("translate: styles: there is no picture")
	}
	return &Styled{engine: e, styles: styles}, nil
}

// Translate translates towards a style that r draws; the target is not looked at.
func (s *Styled) Translate(r *rand.Rand, source, _ *raster.Image) (*raster.Image, error) {
	if err := checkImage("source", source); err != nil {
		return nil, err
	}
	out, err := s.TranslateBatch(context.Background(), []translator.Job{{Rand: r, File: "the image", Source: source, Crop: wholeOf(source)}})
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// TranslateBatch gives each job its style and translates them with the abilities
// that the engine has (see [translator.All]).
func (s *Styled) TranslateBatch(ctx context.Context, jobs []translator.Job) ([]*raster.Image, error) {
	own := make([]translator.Job, len(jobs))
	for i, j := range jobs {
		style, err := s.styles.Load(ctx, j.Rand.IntN(s.styles.Len))
		if err != nil {
			return nil, fmt.Errorf("translate: styles: %w", err)
		}
		j.Target = fill(style, j.Source.W, j.Source.H)
		own[i] = j
	}
	return translator.All(ctx, s.engine, own)
}

// fill returns the largest part of a picture around its centre that has the shape of
// w × h px, resized to that.
func fill(m *raster.Image, w, h int) *raster.Image {
	cw, ch := m.W, max(m.W*h/w, 1)
	if ch > m.H {
		cw, ch = max(m.H*w/h, 1), m.H
	}
	if cw != m.W || ch != m.H {
		m = m.Crop((m.W-cw)/2, (m.H-ch)/2, cw, ch)
	}
	return resize.Image(m, w, h)
}
