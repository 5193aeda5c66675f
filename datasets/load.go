package datasets

import (
	"context"
	"fmt"
	"sync"

	"t2sda/internal/imagefile"
	"t2sda/internal/raster"
)

// Sample is one image with its labels, both at the data set's size.
type Sample struct {
	ID     string
	Image  *raster.Image  // RGB 0–255
	Labels *raster.Labels // train ids; nil when the image has none
	W0, H0 int            // size of the image file
}

// Load reads image i and, when it has one, its label, resized to the data set's
// size (images bilinearly, labels to the nearest pixel). The result is the
// caller's own.
func (d *Dataset) Load(ctx context.Context, i int) (Sample, error) {
	p, l, err := d.loadPair(ctx, i, d.items[i].Label != "")
	if err != nil {
		return Sample{}, err
	}
	s := Sample{ID: d.items[i].ID, Image: p.image(), W0: p.w0, H0: p.h0}
	if l != nil {
		s.Labels = l.Labels
		if d.cache.limit > 0 {
			s.Labels = l.Clone()
		}
	}
	return s, nil
}

// LoadImage is [Dataset.Load] without the labels: Labels is nil and no label
// file is opened. The result is the caller's own.
func (d *Dataset) LoadImage(ctx context.Context, i int) (Sample, error) {
	p, err := d.picture(ctx, i)
	if err != nil {
		return Sample{}, err
	}
	return Sample{ID: d.items[i].ID, Image: p.image(), W0: p.w0, H0: p.h0}, nil
}

// LoadLabels reads the label of image i at the size of its file: what
// predictions are scored against.
func (d *Dataset) LoadLabels(ctx context.Context, i int) (*raster.Labels, error) {
	if err := d.needLabel(i); err != nil {
		return nil, err
	}
	if l := d.cache.label(i); l != nil && l.w0 == l.W && l.h0 == l.H {
		return l.Clone(), nil
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return decodeLabels(d.source(ctx), d.items[i].Label, d.labels, d.channel)
}

func (d *Dataset) needLabel(i int) error {
	if d.items[i].Label == "" {
		return fmt.Errorf("datasets: image %s has no label", d.items[i].Image)
	}
	return nil
}

// LoadScored is [Dataset.Load] with the labels at the size of their file: an
// image as a model takes it and the truth that its prediction is scored against.
// The image must have a label, whose file may have another size in the same
// proportions.
func (d *Dataset) LoadScored(ctx context.Context, i int) (Sample, error) {
	s, err := d.LoadImage(ctx, i)
	if err != nil {
		return Sample{}, err
	}
	if s.Labels, err = d.LoadLabels(ctx, i); err != nil {
		return Sample{}, err
	}
	if !proportional(s.W0, s.H0, s.Labels.W, s.Labels.H) {
		return s, fmt.Errorf("%w: not the same proportions, so the prediction cannot be brought to the label's size", d.sameSize(d.source(ctx), i, s.W0, s.H0, s.Labels.W, s.Labels.H))
	}
	return s, nil
}

// loadPair returns the shared picture of image i and, when asked for, its
// labels; it is an error when their files differ in size.
func (d *Dataset) loadPair(ctx context.Context, i int, withLabels bool) (*picture, *idMap, error) {
	p, err := d.picture(ctx, i)
	if err != nil || !withLabels {
		return p, nil, err
	}
	l, err := d.idMap(ctx, i)
	if err != nil {
		return nil, nil, err
	}
	return p, l, d.sameSize(d.source(ctx), i, p.w0, p.h0, l.w0, l.h0)
}

// proportional reports whether a label of wl×hl pixels can be that of an image of
// w×h at another size: one factor, with results rounded to whole pixels, leads from
// the one to the other. With one side the same and the other not, as in cropped
// labels, none does.
func proportional(w, h, wl, hl int) bool {
	if (w == wl) != (h == hl) {
		return false
	}
	return (wl-1)*h < (hl+1)*w && (hl-1)*w < (wl+1)*h
}

// sameSize returns an error when the files of pair i, an image of w×h and a
// label of wl×hl, differ in size.
func (d *Dataset) sameSize(src imagefile.Source, i, w, h, wl, hl int) error {
	if w == wl && h == hl {
		return nil
	}
	return fmt.Errorf("datasets: image %s has %d×%d pixels, but its label %s has %d×%d%s", d.items[i].Image, w, h, d.items[i].Label, wl, hl, lyingLabel(src, d.items[i].Image, wl, hl))
}

// lyingLabel says so, in words that end a message, when a label of wl×hl pixels has
// the size of the image as it is stored, not as its orientation tag turns it.
func lyingLabel(src imagefile.Source, name string, wl, hl int) string {
	h, err := src.ReadHeader(name)
	if err != nil || h.Orientation == imagefile.Upright || h.W != hl || h.H != wl {
		return ""
	}
	return fmt.Sprintf(" (the image's tag says %s; if the label was drawn on it as it is stored, remove the tag: exiftool -Orientation= FILE)", h.Orientation)
}

func (d *Dataset) picture(ctx context.Context, i int) (*picture, error) {
	if p := d.cache.picture(i); p != nil {
		return p, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	name, w, h := d.items[i].Image, d.opts.Width, d.opts.Height
	e, err := d.opts.Disk.through(d.opts.at(), name, entryKind{w: w, h: h, bytes: 3}, func() (entry, error) {
		p, err := decodeImage(d.source(ctx), name, w, h)
		if err != nil {
			return entry{}, err
		}
		return entry(*p), nil
	})
	if err != nil {
		return nil, err
	}
	p := (*picture)(&e)
	d.cache.addPicture(i, p)
	return p, nil
}

func (d *Dataset) idMap(ctx context.Context, i int) (*idMap, error) {
	if err := d.needLabel(i); err != nil {
		return nil, err
	}
	if l := d.cache.label(i); l != nil {
		return l, nil
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	name, w, h := d.items[i].Label, d.opts.Width, d.opts.Height
	e, err := d.opts.Disk.through(d.opts.at(), name, entryKind{w: w, h: h, bytes: 1, mapping: d.mapping}, func() (entry, error) {
		l, err := decodeIDMap(d.source(ctx), name, d.labels, d.channel, w, h)
		if err != nil {
			return entry{}, err
		}
		return entry{w: l.W, h: l.H, w0: l.w0, h0: l.h0, pix: l.Pix}, nil
	})
	if err != nil {
		return nil, err
	}
	l := &idMap{Labels: &raster.Labels{W: e.w, H: e.h, Pix: e.pix}, w0: e.w0, h0: e.h0}
	d.cache.addLabel(i, l)
	return l, nil
}

// size returns the size of image i as loaded; it opens the file only when the
// data set keeps the files' sizes.
func (d *Dataset) size(ctx context.Context, i int) (w, h int, err error) {
	if d.opts.Width > 0 {
		return d.opts.Width, d.opts.Height, nil
	}
	return imageSize(d.source(ctx), d.items[i].Image)
}

// DecodedBytes returns what all images and labels take decoded and resized: more
// than they will take in a [DiskCache]. Where the files keep their sizes, the
// first one's stands for all.
func (d *Dataset) DecodedBytes() (int64, error) {
	total := int64(0)
	if d.Len() == 0 {
		return 0, nil
	}
	w, h, err := d.size(context.Background(), 0)
	if err != nil {
		return 0, err
	}
	for _, it := range d.items {
		total += 3 * int64(w) * int64(h)
		if it.Label != "" {
			total += int64(w) * int64(h)
		}
	}
	return total, nil
}

// cache keeps decoded files up to a limit; see Options.CacheBytes.
type cache struct {
	limit    int64
	mu       sync.RWMutex
	used     int64
	pictures map[int]*picture
	labels   map[int]*idMap
}

func newCache(limit int64) *cache {
	return &cache{limit: limit, pictures: map[int]*picture{}, labels: map[int]*idMap{}}
}

func (c *cache) picture(i int) *picture {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.pictures[i]
}

func (c *cache) label(i int) *idMap {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.labels[i]
}

func (c *cache) addPicture(i int, p *picture) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.pictures[i]; !ok && c.fits(len(p.pix)) {
		c.pictures[i] = p
	}
}

func (c *cache) addLabel(i int, l *idMap) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.labels[i]; !ok && c.fits(len(l.Pix)) {
		c.labels[i] = l
	}
}

// fits takes n bytes of the budget if they are left. The caller holds the lock.
func (c *cache) fits(n int) bool {
	if c.used+int64(n) > c.limit {
		return false
	}
	c.used += int64(n)
	return true
}
