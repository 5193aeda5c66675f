package features

import (
	"context"
	"errors"
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
	// Skip leaves out what the first pass cannot read, instead of failing. Every
	// later pass sees what the first one has seen.
	Skip    bool
	Skipped []datasets.Fault // that were left out

	settled bool // a pass is over
}

// Choose draws n of a data set's images, all of them if n is 0 or there are no
// more. They are read at the size that they are configured to be read at, or
// else at that of the first one; with skip the first that can be read.
func Choose(ctx context.Context, domain string, data *datasets.Dataset, n int, seed uint64, skip bool) (*Images, error) {
	first, err := firstReadable(ctx, data, skip)
	if err != nil {
		return nil, err
	}
	d := &Images{Domain: domain, W: first.Image.W, H: first.Image.H, Skip: skip}
	d.Data = data.AtSize(d.W, d.H) // so that all have one size
	d.Chosen = rng.New(seed, 0, "analyze/images/"+domain).Perm(data.Len())
	if n > 0 && n < len(d.Chosen) {
		d.Chosen = d.Chosen[:n]
	}
	slices.Sort(d.Chosen)
	return d, nil
}

func firstReadable(ctx context.Context, data *datasets.Dataset, skip bool) (datasets.Sample, error) {
	first, err := data.Load(ctx, 0)
	if err == nil || !skip {
		return first, err
	}
	for i := 1; i < data.Len() && ctx.Err() == nil; i++ {
		if s, err := data.Load(ctx, i); err == nil {
			return s, nil
		}
	}
	return first, errors.Join(ctx.Err(), fmt.Errorf("none of the %d images can be read, the first: %w", data.Len(), err))
}

// LeftOut says how many images were left out, and why the first; empty for none.
func (d *Images) LeftOut() string {
	if len(d.Skipped) == 0 {
		return ""
	}
	return fmt.Sprintf("%s domain: left out because they cannot be read: %d of %d images, the first: %s", d.Domain, len(d.Skipped), d.Data.Len(), d.Skipped[0].Error)
}

// loaded is an image with its labels, at the images' size and at the label
// file's.
type loaded struct {
	index  int // in the data set
	id     string
	image  *raster.Image
	labels *raster.Labels
	truth  *raster.Labels // at the images' size unless it is asked for
	fault  error          // why there is none of them
}

// load reads an image. Where images are skipped, the fault of one is part of what
// it returns.
func (d *Images) load(ctx context.Context, i int) (l loaded, err error) {
	s, err := d.Data.Load(ctx, i)
	l = loaded{index: i, id: s.ID, image: s.Image, labels: s.Labels, truth: s.Labels}
	if err == nil && (s.Labels == nil || d.Truth && (s.Labels.W != s.W0 || s.Labels.H != s.H0)) { // without a label that fails
		l.truth, err = d.Data.LoadLabels(ctx, i)
	}
	if err != nil && d.Skip && !d.settled && ctx.Err() == nil {
		return loaded{index: i, fault: err}, nil
	}
	return l, err
}

// each calls f for the chosen images in order, while up to workers others are
// read. Those that are left out are no longer chosen afterwards.
func (d *Images) each(ctx context.Context, workers int, f func(loaded) error) error {
	group, ctx := errgroup.WithContext(ctx)
	queue := make(chan chan loaded, workers)
	var read []int
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
	group.Go(func() (err error) {
		read, err = d.take(ctx, queue, f)
		return err
	})
	if err := group.Wait(); err != nil {
		return err
	}
	if len(read) == 0 && len(d.Skipped) > 0 {
		return fmt.Errorf("none of the %d images can be read, the first: %s", len(d.Chosen), d.Skipped[0].Error)
	}
	d.Chosen, d.settled = read, true
	return nil
}

// take calls f for what is read, notes what is left out and returns the indices
// of the rest.
func (d *Images) take(ctx context.Context, queue <-chan chan loaded, f func(loaded) error) (read []int, err error) {
	for slot := range queue {
		var l loaded
		select {
		case l = <-slot:
		case <-ctx.Done():
			return read, ctx.Err()
		}
		if l.fault != nil {
			d.Skipped = append(d.Skipped, datasets.Fault{File: d.Data.Item(l.index).Image, Error: l.fault.Error()})
			continue
		}
		if err := f(l); err != nil {
			if ctx.Err() != nil {
				return read, ctx.Err()
			}
			return read, fmt.Errorf("image %s: %w", l.id, err)
		}
		read = append(read, l.index)
	}
	return read, nil
}
