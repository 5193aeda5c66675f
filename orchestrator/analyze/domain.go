package analyze

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"golang.org/x/sync/errgroup"

	"t2sda/configs"
	"t2sda/datasets"
	"t2sda/internal/raster"
	"t2sda/internal/rng"
	"t2sda/orchestrator"
)

// domain is the labelled images of one side.
type domain struct {
	name   string // source or target
	place  string // where they lie, for people
	data   *datasets.Dataset
	chosen []int // images to look at, ascending
	w, h   int   // that they are brought to, pixels
}

// openDomains opens the images that the networks are held against: the source's
// own, and the target's of data.eval, since the target needs no labels.
func openDomains(ctx context.Context, n *orchestrator.Network, o Options) (source, target *domain, err error) {
	c, err := n.Source()
	if err != nil {
		return nil, nil, err
	}
	if o.SourceSplit != "" {
		c.Split = o.SourceSplit
	}
	if source, err = openDomain(ctx, n, "source", "data.source", c); err != nil {
		return nil, nil, err
	}
	if target, err = openDomain(ctx, n, "target", "data.eval", n.Config.Data.Eval); err != nil {
		return nil, nil, err
	}
	source.choose(o.Images, o.Seed)
	target.choose(o.Images, o.Seed)
	return source, target, nil
}

// openDomain finds labelled images, at the size that they are configured to be
// read at or else that of the first one.
func openDomain(ctx context.Context, n *orchestrator.Network, name, field string, c configs.Dataset) (*domain, error) {
	d := &domain{name: name, place: c.Layout + " " + c.Root}
	if c.Split != "" {
		d.place += ", split " + c.Split
	}
	var err error
	if d.data, err = n.OpenDataset(field, c); err != nil {
		return nil, d.explain(c, err)
	}
	first, err := d.data.Load(ctx, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", field, err)
	}
	d.w, d.h = first.Image.W, first.Image.H
	d.data = d.data.AtSize(d.w, d.h) // so that all have one size
	return d, nil
}

// explain adds to an error of opening what the reader may not think of.
func (d *domain) explain(c configs.Dataset, err error) error {
	hints := []error{fmt.Errorf("%s domain: %w", d.name, err)}
	if d.name == "target" {
		hints = append(hints, errors.New("the target's measures need labels: they are taken on the images of data.eval, data.target's are never asked for any"))
	}
	if !filepath.IsAbs(c.Root) {
		hints = append(hints, fmt.Errorf("%s is a relative folder: start this where the run was started", c.Root))
	}
	return errors.Join(hints...)
}

// choose draws n images, all of them if n is 0 or there are no more.
func (d *domain) choose(n int, seed uint64) {
	d.chosen = rng.New(seed, 0, "analyze/images/"+d.name).Perm(d.data.Len())
	if n > 0 && n < len(d.chosen) {
		d.chosen = d.chosen[:n]
	}
	slices.Sort(d.chosen)
}

// loaded is an image with its labels, at the domain's size and at the label
// file's.
type loaded struct {
	id     string
	image  *raster.Image
	labels *raster.Labels
	truth  *raster.Labels
}

func (d *domain) load(ctx context.Context, i int) (loaded, error) {
	s, err := d.data.Load(ctx, i)
	if err != nil {
		return loaded{}, err
	}
	l := loaded{id: s.ID, image: s.Image, labels: s.Labels, truth: s.Labels}
	if s.Labels.W != s.W0 || s.Labels.H != s.H0 {
		l.truth, err = d.data.LoadLabels(ctx, i)
	}
	return l, err
}

// each calls f for the chosen images in order, while up to workers others are
// read.
func (d *domain) each(ctx context.Context, workers int, f func(loaded) error) error {
	group, ctx := errgroup.WithContext(ctx)
	queue := make(chan chan loaded, workers)
	group.Go(func() error {
		defer close(queue)
		for _, i := range d.chosen {
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
