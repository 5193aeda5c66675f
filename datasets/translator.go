package datasets

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math/rand/v2"

	"t2sda/internal/raster"
	"t2sda/internal/rng"
)

// Translator gives a source image the target's appearance and keeps its
// content, so that its labels still hold. The target is nil when there are no
// target images (domain generalisation). It must return a new image of the
// source's size and keep neither of the two: their memory is used again. It is
// called from several goroutines at once.
type Translator interface {
	Translate(r *rand.Rand, source, target *raster.Image) (*raster.Image, error)
}

// namedTranslator is a [Translator] that needs to know which image it gets:
// its path below the image folder, slash-separated.
type namedTranslator interface {
	TranslateNamed(r *rand.Rand, id string, source, target *raster.Image) (*raster.Image, error)
}

// cropTranslator is a [Translator] that can work out a part of the result
// alone. Both images are whole; the result is what Translate returns, cropped.
type cropTranslator interface {
	TranslateCrop(r *rand.Rand, source, target *raster.Image, crop image.Rectangle) (*raster.Image, error)
}

// translate gives the source image the target's appearance and cuts the
// rectangle out; a target of another size is resized to the source's.
func (l *Loader) translate(r *rand.Rand, item Item, p, style *picture, rect image.Rectangle) (*raster.Image, error) {
	source := l.takeWhole(p)
	defer l.whole.Put(source)
	var target *raster.Image
	if style != nil {
		target = l.takeWhole(style.resized(source.W, source.H))
		defer l.whole.Put(target)
	}
	var out *raster.Image
	var err error
	switch t := l.opts.Translate.(type) {
	case namedTranslator:
		out, err = t.TranslateNamed(r, item.Rel, source, target)
	case cropTranslator:
		out, err = t.TranslateCrop(r, source, target, rect)
		if err == nil && out.W == rect.Dx() && out.H == rect.Dy() {
			return out, nil
		}
	default:
		out, err = t.Translate(r, source, target)
	}
	if err != nil {
		return nil, err
	}
	if out == nil || out.W != source.W || out.H != source.H {
		return nil, fmt.Errorf("the result has another size than the image's %d×%d", source.W, source.H)
	}
	return out.Crop(rect.Min.X, rect.Min.Y, rect.Dx(), rect.Dy()), nil
}

// Translated translates the whole source image i as for a batch, towards the whole
// target image j, which is not read without a target. It is an error to call it
// without a translator.
func (l *Loader) Translated(ctx context.Context, i, j int) (*raster.Image, error) {
	if l.opts.Translate == nil {
		return nil, errors.New("datasets: the loader has no translator")
	}
	p, err := l.opts.Source.picture(ctx, i)
	if err != nil {
		return nil, err
	}
	var style *picture
	if l.opts.Target != nil {
		if style, err = l.opts.Target.picture(ctx, j); err != nil {
			return nil, err
		}
	}
	item := l.opts.Source.items[i]
	out, err := l.translate(rng.New(l.opts.Seed, i, "datasets/translate whole"), item, p, style, image.Rect(0, 0, p.w, p.h))
	if err != nil {
		return nil, fmt.Errorf("datasets: translating %s: %w", item.Image, err)
	}
	return out, nil
}

// takeWhole converts a whole picture into memory that is used again.
func (l *Loader) takeWhole(p *picture) *raster.Image {
	m, _ := l.whole.Get().(*raster.Image)
	if m == nil || cap(m.Pix) < 3*p.w*p.h {
		m = raster.NewImage(p.w, p.h)
	}
	m.W, m.H, m.Pix = p.w, p.h, m.Pix[:3*p.w*p.h]
	p.crop(m, image.Rect(0, 0, p.w, p.h))
	return m
}
