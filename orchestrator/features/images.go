package features

import (
	"context"
	"fmt"
	"slices"

	"golang.org/x/sync/errgroup"

	"t2sda/datasets"
	"t2sda/internal/raster"
	"t2sda/internal/rng"
)

// Images are labelled images of one domain, all brought to one size.
type Images struct {
	Domain string // source or target: draws depend on it
	Data   *datasets.Dataset
	Chosen []int // to look at, ascending
	W, H   int   // pixels
	// Truth asks for labels at their files' own size, too: for scores.
	Truth bool
}

// Choose draws n of a data set's images, all of them if n is 0 or there are no
// more. They are read at the size that they are configured to be read at, or
// else at that of the first one.
func Choose(ctx context.Context, domain string, data *datasets.Dataset, n int, seed uint64) (*Images, error) {
	first, err := data.Load(ctx, 0)
	if err != nil {
		return nil, err
	}
	d := &Images{Domain: domain, W: first.Image.W, H: first.Image.H}
	d.Data = data.AtSize(d.W, d.H) // so that all have one size
	d.Chosen = rng.New(seed, 0, "analyze/images/"+domain).Perm(data.Len())
	if n > 0 && n < len(d.Chosen) {
		d.Chosen = d.Chosen[:n]
	}
	slices.Sort(d.Chosen)
	return d, nil
}

// loaded is an image with its labels, at the images' size and at the label
// file's.
type loaded struct {
	id     string
	image  *raster.Image
	labels *raster.Labels
	truth  *raster.Labels // at the images' size unless it is asked for
}

func (d *Images) load(ctx context.Context, i int) (loaded, error) {
	s, err := d.Data.Load(ctx, i)
	if err != nil {
		return loaded{}, err
	}
	l := loaded{id: s.ID, image: s.Image, labels: s.Labels, truth: s.Labels}
	if d.Truth && (s.Labels.W != s.W0 || s.Labels.H != s.H0) {
		l.truth, err = d.Data.LoadLabels(ctx, i)
	}
	return l, err
}

// each calls f for the chosen images in order, while up to workers others are
// read.
func (d *Images) each(ctx context.Context, workers int, f func(loaded) error) error {
	group, ctx := errgroup.WithContext(ctx)
	queue := make(chan chan loaded, workers)
	group.Go(func() error {
		defer close(queue)
		for _, i := range d.Chosen {
			slot := make(chan loaded, 1)
			select {
			case queue <- slot:
			case <-ctx.Done():
				return ctx.Err()
			}
			group.Go(func() error {
				l, err := d.load(ctx, i)
				if err == nil {
					slot <- l
				}
				return err
			})
		}
		return nil
	})
	group.Go(func() error {
		for slot := range queue {
			select {
			case l := <-slot:
				if err := f(l); err != nil {
					if ctx.Err() != nil {
						return ctx.Err()
					}
					return fmt.Errorf("image %s: %w", l.id, err)
				}
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	return group.Wait()
}
