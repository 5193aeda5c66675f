package datasets

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math/rand/v2"

	"t2sda/internal/raster"
	"t2sda/internal/rng"
	"t2sda/internal/translator"
)

// crossing is a source image on its way to the target's appearance.
type crossing struct {
	r          *rand.Rand
	item       Item
	p, style   *picture // style: nil without target images
	rect       image.Rectangle
	flip       bool
	borrowed   [2]*raster.Image // from Loader.whole
	borrowings int
}

// translate appends the pseudo-target crops of a batch. A translator that takes
// several images at once gets them all; for the others one after the other is
// made a whole image of, so that memory does not grow with the batch.
func (l *Loader) translate(ctx context.Context, b *Batch, crossings []crossing) error {
	if _, ok := l.opts.Translate.(translator.Batcher); ok {
		return l.translateSome(ctx, b, crossings)
	}
	for i := range crossings {
		if err := l.translateSome(ctx, b, crossings[i:i+1]); err != nil {
			return err
		}
	}
	return nil
}

func (l *Loader) translateSome(ctx context.Context, b *Batch, crossings []crossing) error {
	jobs := make([]translator.Job, len(crossings))
	for i := range crossings {
		jobs[i] = l.job(&crossings[i])
		defer crossings[i].giveBack(l)
	}
	results, err := translator.All(ctx, l.opts.Translate, jobs)
	if err != nil {
		return fmt.Errorf("datasets: %w", err)
	}
	for i, c := range crossings {
		if c.flip {
			results[i].FlipH()
		}
	}
	b.Pseudo = append(b.Pseudo, results...)
	return nil
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
	c := crossing{
		r: rng.New(l.opts.Seed, i, "datasets/translate whole"), item: l.opts.Source.items[i],
		p: p, rect: image.Rect(0, 0, p.w, p.h),
	}
	if l.opts.Target != nil {
		if c.style, err = l.opts.Target.picture(ctx, j); err != nil {
			return nil, err
		}
	}
	var b Batch
	if err := l.translateSome(ctx, &b, []crossing{c}); err != nil {
		return nil, err
	}
	return b.Pseudo[0], nil
}

// job makes whole images; a target of another size is resized to the source's.
func (l *Loader) job(c *crossing) translator.Job {
	j := translator.Job{Rand: c.r, ID: c.item.Rel, File: c.item.Image, Crop: c.rect, Source: c.borrow(l, c.p)}
	if c.style != nil {
		j.Target = c.borrow(l, c.style.resized(c.p.w, c.p.h))
	}
	return j
}

// borrow converts a whole picture into memory that is used again.
func (c *crossing) borrow(l *Loader, p *picture) *raster.Image {
	m, _ := l.whole.Get().(*raster.Image)
	if m == nil || cap(m.Pix) < 3*p.w*p.h {
		m = raster.NewImage(p.w, p.h)
	}
	m.W, m.H, m.Pix = p.w, p.h, m.Pix[:3*p.w*p.h]
	p.crop(m, image.Rect(0, 0, p.w, p.h))
	c.borrowed[c.borrowings] = m
	c.borrowings++
	return m
}

func (c *crossing) giveBack(l *Loader) {
	for _, m := range c.borrowed[:c.borrowings] {
		l.whole.Put(m)
	}
	c.borrowings = 0
}
