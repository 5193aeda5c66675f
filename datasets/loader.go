package datasets

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math/rand/v2"
	"runtime"
	"sync"

	"t2sda/internal/raster"
	"t2sda/internal/rng"
	"t2sda/internal/translator"
)

// LoaderOptions say how batches are drawn.
type LoaderOptions struct {
	Seed   uint64
	Batch  int      // source images in a batch, and as many target images
	Source *Dataset // labelled
	Target *Dataset // nil: no target images

	CropW, CropH int     // pixels
	Flip         bool    // mirror left to right with probability 0.5
	CatMaxRatio  float64 // source crops in which one class covers more of the valid pixels are drawn again; 0 or 1: never

	RCS       *RCSOptions           // rare class sampling of source images; nil: uniform
	Translate translator.Translator // makes pseudo-target images; nil: none
	Augment   Augmenter             // distorts source crops, after their translation; nil: none

	// SkipBadFiles draws another file in place of one that cannot be used, and
	// lists it in the batch. Which one is as much a function of seed and iteration
	// as the first draw is.
	SkipBadFiles bool

	// Share says which micro-batches of Batch images of an iteration's batch a stream
	// makes; its zero value: there is one.
	Share Share

	Workers  int // goroutines of a stream; 0: one per core
	Prefetch int // batches that a stream keeps ready; 0: twice the workers
}

// Share is the micro-batches [From, To) of an iteration's batch.
type Share struct{ From, To int }

// Len is their number.
func (s Share) Len() int { return s.To - s.From }

// Augmenter distorts images in place and moves nothing, so that their labels still
// hold. It is called from several goroutines at once.
type Augmenter interface {
	Apply(r *rand.Rand, images ...*raster.Image)
}

// Batch holds the crops of one iteration, or of a micro-batch of it. Element i of
// Pseudo is element i of Source, translated towards the whole image that element i of
// Target was cut from; it has the source's crop, flip and labels.
type Batch struct {
	Iteration            int
	First                int // place of element 0 among all of the iteration
	SourceIDs, TargetIDs []string
	Source               []*raster.Image
	Pseudo               []*raster.Image // nil without a translator
	Target               []*raster.Image // nil without a target
	SourceLabels         []*raster.Labels
	TargetRows           []Rows   // that the crops of Target hold
	TargetCorners        []Corner // where they begin
	Skipped              []Fault  // files that were drawn and could not be used, in the order of the draws
}

// Fault is a file that was done without.
type Fault struct {
	File  string `json:"file"`  // the image's, also where its label or translation is at fault
	Error string `json:"error"` // names the file at fault
}

// Rows says which rows of its image a crop holds: from row From on, of Of.
type Rows struct{ From, Of int }

// Corner is where in its image a crop begins, px, and whether it was mirrored after it was cut.
type Corner struct {
	X, Y int
	Flip bool
}

// Images returns the number of images in the batch that came from files.
func (b *Batch) Images() int { return len(b.Source) + len(b.Target) }

// Loader makes batches. It is safe for concurrent use.
type Loader struct {
	opts  LoaderOptions
	rcs   *RCS // nil: uniform
	crop  cropper
	whole sync.Pool // *raster.Image, whole pictures on their way through the translator

	passed map[string]error // target images that are not drawn, by their files
}

// NewLoader checks the options against the data. Where a data set keeps its
// files' sizes, it reads every image's header to see that the crop fits.
func NewLoader(o LoaderOptions) (*Loader, error) {
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Share.Len() == 0 {
		o.Share = Share{0, 1}
	}
	if o.Prefetch <= 0 {
		o.Prefetch = 2 * o.Workers
	}
	l := &Loader{opts: o, crop: cropper{w: o.CropW, h: o.CropH, catMax: o.CatMaxRatio}}
	if err := l.check(); err != nil {
		return nil, err
	}
	if o.RCS != nil {
		rcs, err := NewRCS(*o.RCS)
		if err != nil {
			return nil, err
		}
		l.rcs = rcs
	}
	for _, d := range []*Dataset{o.Source, o.Target} {
		if d == nil {
			continue
		}
		if err := l.checkSizes(d); err != nil {
			return nil, err
		}
	}
	return l, nil
}

func (l *Loader) check() error {
	o := l.opts
	switch {
	case o.Source == nil:
		return errors.New("datasets: loader: no source data set")
	case o.Batch < 1:
		return fmt.Errorf("datasets: loader: batch of %d images", o.Batch)
	case o.Share.From < 0 || o.Share.Len() < 0:
		return fmt.Errorf("datasets: loader: micro-batches from %d to %d", o.Share.From, o.Share.To)
	case o.CropW < 1 || o.CropH < 1:
		return fmt.Errorf("datasets: loader: crop of %d×%d pixels", o.CropW, o.CropH)
	case !(o.CatMaxRatio >= 0 && o.CatMaxRatio <= 1):
		return fmt.Errorf("datasets: loader: cat_max_ratio %v is outside of 0–1", o.CatMaxRatio)
	}
	if i := o.Source.firstUnlabelled(); i >= 0 {
		return fmt.Errorf("datasets: loader: the source must be labelled: %w", o.Source.needLabel(i))
	}
	if o.RCS != nil && o.RCS.Stats != nil && !o.RCS.Stats.describes(o.Source) {
		return fmt.Errorf("datasets: loader: the class statistics of %s are not those of the source %s", o.RCS.Stats.Root, o.Source.Root())
	}
	return nil
}

// describes reports whether the counts are of the data set's files and classes.
func (s *Stats) describes(d *Dataset) bool {
	if len(s.Files) != d.Len() || len(s.Pixels) != len(d.Space().Classes) {
		return false
	}
	for i, f := range s.Files {
		if f.ID != d.items[i].ID {
			return false
		}
	}
	return true
}

func (l *Loader) checkSizes(d *Dataset) error {
	n := d.Len()
	if d.opts.Width > 0 {
		n = 1 // all have that size
	}
	for i := range n {
		w, h, err := d.size(context.Background(), i)
		if err == nil {
			err = l.fits(d, i, w, h)
		}
		if err != nil && !l.opts.SkipBadFiles { // else it is met when the file is drawn
			return err
		}
	}
	return nil
}

func (l *Loader) fits(d *Dataset, i, w, h int) error {
	if w >= l.opts.CropW && h >= l.opts.CropH {
		return nil
	}
	return fmt.Errorf("datasets: the crop of %d×%d pixels is larger than image %s of %d×%d pixels (after resizing, if any)",
		l.opts.CropW, l.opts.CropH, d.items[i].Image, w, h)
}

// usable refuses a picture that is smaller than the crop, or that was made
// larger from next to nothing.
func (l *Loader) usable(d *Dataset, i int, p *picture) error {
	if (p.w0 < p.w || p.h0 < p.h) && (p.w0 < minSide || p.h0 < minSide) {
		return fmt.Errorf("datasets: image %s has %d×%d pixels: smaller than %d×%d, the least that a network takes",
			d.items[i].Image, p.w0, p.h0, minSide, minSide)
	}
	return l.fits(d, i, p.w, p.h)
}

// target reads a target image that crops can be cut from.
func (l *Loader) target(ctx context.Context, i int) (*picture, error) {
	p, err := l.opts.Target.picture(ctx, i)
	if err == nil {
		err = l.usable(l.opts.Target, i, p)
	}
	return p, err
}

// TargetImage returns a whole target image, the caller's own. One that no batch could hold a crop
// of is an error.
func (l *Loader) TargetImage(ctx context.Context, i int) (*raster.Image, error) {
	p, err := l.target(ctx, i)
	if err != nil {
		return nil, err
	}
	return p.image(), nil
}

// PassOver treats target images as files that cannot be used, and all others as they are; those
// passed over before are drawn again. It must not be called while a stream is open.
func (l *Loader) PassOver(targets []Fault) {
	l.passed = map[string]error{}
	for _, f := range targets {
		l.passed[f.File] = errors.New(f.Error)
	}
}

// RCS returns the distribution of rare class sampling, nil when images are
// drawn uniformly.
func (l *Loader) RCS() *RCS { return l.rcs }

// Batch makes the first batch of an iteration, see [Loader.MicroBatch].
func (l *Loader) Batch(ctx context.Context, iteration int) (*Batch, error) {
	return l.MicroBatch(ctx, iteration, 0)
}

// MicroBatch makes micro-batch m of an iteration: a pure function of the seed, the
// iteration, m and the files, whoever else makes others. Micro-batches of one size are
// parts of one large batch. Errors name the file at fault.
func (l *Loader) MicroBatch(ctx context.Context, iteration, m int) (*Batch, error) {
	lost := map[string]error{}
	for {
		b := &Batch{Iteration: iteration, First: m * l.opts.Batch}
		err := l.fill(ctx, b, lost)
		if err == nil {
			return b, nil
		}
		var file *translator.FileError
		if !l.opts.SkipBadFiles || !errors.As(err, &file) || lost[file.ID] != nil {
			return nil, err
		}
		lost[file.ID] = err // and all over: draws start anew
	}
}

// fill makes a batch. Source images are known to be lost, by their path below the
// image folder, where their translations lie in files that cannot be read.
func (l *Loader) fill(ctx context.Context, b *Batch, lost map[string]error) error {
	var crossings []crossing
	for k := range l.opts.Batch {
		c, err := l.add(ctx, b, k, lost)
		if err != nil {
			return err
		}
		crossings = append(crossings, c)
	}
	if l.opts.Translate == nil {
		return nil
	}
	return l.translate(ctx, b, crossings)
}

// stream returns the generator of one purpose for element k of a batch.
func (l *Loader) stream(b *Batch, k int, purpose string) *rand.Rand {
	return rng.New(l.opts.Seed, b.Iteration, fmt.Sprintf("datasets/%s/%d", purpose, b.First+k))
}

// add appends element k, source and target, and returns what is to be translated.
func (l *Loader) add(ctx context.Context, b *Batch, k int, lost map[string]error) (crossing, error) {
	src := l.opts.Source
	var class, i int
	var p *picture
	var labels *idMap
	err := l.read(ctx, b, k, "source", func(r *rand.Rand) (string, error) {
		class, i = l.drawSource(r)
		file, err := src.items[i].Image, lost[src.items[i].Rel]
		if err != nil {
			return file, err
		}
		if p, labels, err = src.loadPair(ctx, i, true); err == nil {
			err = l.usable(src, i, p)
		}
		return file, err
	})
	if err != nil {
		return crossing{}, err
	}
	need := 0.0
	if class >= 0 {
		need = l.rcs.cropPixels(labels.W, labels.H)
	}
	rect := l.crop.drawLabelled(l.stream(b, k, "source crop"), labels.Labels, class, need)
	flip := l.opts.Flip && l.stream(b, k, "source flip").IntN(2) == 1

	b.SourceIDs = append(b.SourceIDs, src.items[i].ID)
	cut := l.cutImage(p, rect, flip)
	if l.opts.Augment != nil {
		l.opts.Augment.Apply(l.stream(b, k, "augment"), cut)
	}
	b.Source = append(b.Source, cut)
	b.SourceLabels = append(b.SourceLabels, l.cutLabels(labels.Labels, rect, flip))

	c := crossing{r: l.stream(b, k, "translate"), item: src.items[i], p: p, rect: rect, flip: flip}
	if l.opts.Target != nil {
		c.style, err = l.addTarget(ctx, b, k)
	}
	return c, err
}

// mostTries bounds the files that are tried for one element of a batch: so many
// in a row that cannot be used are no faults of files, but a disk that is gone.
const mostTries = 50

// read draws a file for element k and reads it, and draws again as long as the
// file cannot be used and such ones are skipped. The function returns the
// image's path.
func (l *Loader) read(ctx context.Context, b *Batch, k int, purpose string, draw func(r *rand.Rand) (file string, err error)) error {
	r := l.stream(b, k, purpose)
	for n := 1; ; n++ {
		file, err := draw(r)
		if err == nil || !l.opts.SkipBadFiles || ctx.Err() != nil {
			return err
		}
		if n == mostTries {
			return fmt.Errorf("datasets: %d files in a row cannot be used, the last of them: %w", n, err)
		}
		b.Skipped = append(b.Skipped, Fault{file, err.Error()})
		r = l.stream(b, k, fmt.Sprintf("%s, draw %d", purpose, n+1))
	}
}

// drawSource returns a file and the class it was drawn for, -1 for none.
func (l *Loader) drawSource(r *rand.Rand) (class, file int) {
	if l.rcs != nil {
		return l.rcs.draw(r)
	}
	return -1, r.IntN(l.opts.Source.Len())
}

// addTarget appends a target crop and returns the image it was cut from.
func (l *Loader) addTarget(ctx context.Context, b *Batch, k int) (*picture, error) {
	d := l.opts.Target
	var i int
	var p *picture
	err := l.read(ctx, b, k, "target", func(r *rand.Rand) (_ string, err error) {
		i = r.IntN(d.Len())
		if err = l.passed[d.items[i].Image]; err == nil {
			p, err = l.target(ctx, i)
		}
		return d.items[i].Image, err
	})
	if err != nil {
		return nil, err
	}
	rect := l.crop.draw(l.stream(b, k, "target crop"), p.w, p.h)
	flip := l.opts.Flip && l.stream(b, k, "target flip").IntN(2) == 1
	b.TargetIDs = append(b.TargetIDs, d.items[i].ID)
	b.Target = append(b.Target, l.cutImage(p, rect, flip))
	b.TargetRows = append(b.TargetRows, Rows{From: rect.Min.Y, Of: p.h})
	b.TargetCorners = append(b.TargetCorners, Corner{rect.Min.X, rect.Min.Y, flip})
	return p, nil
}

func (l *Loader) cutImage(p *picture, rect image.Rectangle, flip bool) *raster.Image {
	out := raster.NewImage(rect.Dx(), rect.Dy())
	p.crop(out, rect)
	if flip {
		out.FlipH()
	}
	return out
}

func (l *Loader) cutLabels(labels *raster.Labels, rect image.Rectangle, flip bool) *raster.Labels {
	out := labels.Crop(rect.Min.X, rect.Min.Y, rect.Dx(), rect.Dy())
	if flip {
		out.FlipH()
	}
	return out
}
