package score

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"t2sda/datasets"
	"t2sda/export/predict"
	"t2sda/internal/raster"
)

// Options of [Evaluate]; the zero value will do.
type Options struct {
	// Workers decode, and as many others score, while the session runs. 0: one
	// per CPU. Memory is that of Workers+2 images with their logits.
	Workers int
	// Progress is called after every image, never by two goroutines at once.
	Progress func(done, total int)
	// KeepGoing leaves out images that cannot be read or scored and lists them
	// in [Result.Skipped], instead of stopping at the first. A failing model
	// stops all the same.
	KeepGoing bool
	// Worst is the number of images with the lowest pixel accuracy to list.
	Worst int
	// Name of the data set in the result.
	Name string
}

// Evaluate runs the model over all images of a labelled data set and scores its
// labels at the full size of the label files. Open the data set at the model's
// size, so that decoded images are small; then one resize is all that happens to
// an image. Decoding, inference and scoring overlap.
//
// It is an error when the data set's classes are not the model's, by name and in
// order, and, without KeepGoing, when an image has no label. The result does not
// depend on Workers.
func Evaluate(ctx context.Context, p *predict.Predictor, d *datasets.Dataset, o Options) (*Result, error) {
	if err := sameClasses(p, d); err != nil {
		return nil, err
	}
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	o.Workers = min(o.Workers, max(1, d.Len()))
	e := &evaluation{
		p: p, d: d, o: o,
		ready: make(chan job), inferred: make(chan job), free: make(chan *predict.Task, o.Workers+2),
		total: NewConfusion(len(p.Space().Classes)),
	}
	start := time.Now()
	if err := e.run(ctx); err != nil {
		return nil, fmt.Errorf("evaluate %s: %w", p.Name(), err)
	}
	r := e.result()
	r.Seconds = time.Since(start).Seconds()
	if r.Seconds > 0 {
		r.ImagesPerSecond = float64(r.Images) / r.Seconds
	}
	return r, nil
}

// sameClasses compares the model's classes with the data set's.
func sameClasses(p *predict.Predictor, d *datasets.Dataset) error {
	model, data := p.Space(), d.Space()
	if d.Map() == nil {
		return fmt.Errorf("evaluate %s: data set %s has no labels (no label map)", p.Name(), d.Root())
	}
	if len(model.Classes) != len(data.Classes) {
		return fmt.Errorf("evaluate %s: the model has %d classes (%q), data set %s has %d (%q)",
			p.Name(), len(model.Classes), model.Name, d.Root(), len(data.Classes), data.Name)
	}
	for i, c := range model.Classes {
		if name := data.Classes[i].Name; name != c.Name {
			return fmt.Errorf("evaluate %s: class %d is %q in the model and %q in data set %s", p.Name(), i, c.Name, name, d.Root())
		}
	}
	return nil
}

// evaluation is one call of [Evaluate]: loaders → ready → one runner → inferred
// → scorers. Tasks limit the images under way and return by way of free.
type evaluation struct {
	p *predict.Predictor
	d *datasets.Dataset
	o Options

	next     atomic.Int64 // index of the next image to load
	ready    chan job
	inferred chan job
	free     chan *predict.Task

	mu      sync.Mutex
	total   *Confusion
	images  int
	done    int
	worst   []ImageScore
	skipped map[int]Skipped
}

// job is an image on its way.
type job struct {
	index int
	task  *predict.Task
	truth *raster.Labels
}

func (e *evaluation) run(ctx context.Context) error {
	for range cap(e.free) {
		s := e.p.NewTask()
		defer s.Close()
		e.free <- s
	}
	group, ctx := errgroup.WithContext(ctx)
	var loaders, scorers sync.WaitGroup
	for range e.o.Workers {
		loaders.Add(1)
		group.Go(func() error {
			defer loaders.Done()
			return e.load(ctx)
		})
		scorers.Add(1)
		group.Go(func() error {
			defer scorers.Done()
			return e.score(ctx)
		})
	}
	group.Go(func() error {
		loaders.Wait()
		close(e.ready)
		return nil
	})
	group.Go(func() error {
		defer close(e.inferred)
		return e.infer(ctx)
	})
	return group.Wait()
}

// load reads images into tasks until none is left.
func (e *evaluation) load(ctx context.Context) error {
	for {
		i := int(e.next.Add(1)) - 1
		if i >= e.d.Len() {
			return nil
		}
		var s *predict.Task
		select {
		case s = <-e.free:
		case <-ctx.Done():
			return ctx.Err()
		}
		img, truth, err := e.read(ctx, i)
		if err != nil {
			e.free <- s
			if err := e.skip(ctx, i, err); err != nil {
				return err
			}
			continue
		}
		if err := s.Fill(img); err != nil {
			return fmt.Errorf("image %s: %w", e.d.Item(i).ID, err)
		}
		select {
		case e.ready <- job{index: i, task: s, truth: truth}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// read loads an image at the data set's size and its label at full size.
func (e *evaluation) read(ctx context.Context, i int) (*raster.Image, *raster.Labels, error) {
	sample, err := e.d.Load(ctx, i)
	if err != nil {
		return nil, nil, err
	}
	truth := sample.Labels
	if truth == nil || truth.W != sample.W0 || truth.H != sample.H0 {
		if truth, err = e.d.LoadLabels(ctx, i); err != nil {
			return nil, nil, err
		}
	}
	return sample.Image, truth, nil
}

// infer runs the session on one image after the other.
func (e *evaluation) infer(ctx context.Context) error {
	for j := range e.ready {
		if err := j.task.Run(ctx); err != nil {
			return fmt.Errorf("image %s: %w", e.d.Item(j.index).ID, err)
		}
		select {
		case e.inferred <- j:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// score compares predictions with labels.
func (e *evaluation) score(ctx context.Context) error {
	for j := range e.inferred {
		labels, err := j.task.Labels(j.truth.W, j.truth.H)
		e.free <- j.task
		if err != nil {
			return fmt.Errorf("image %s: %w", e.d.Item(j.index).ID, err)
		}
		one := NewConfusion(e.total.Classes())
		if err := one.Add(j.truth, labels); err != nil {
			if err := e.skip(ctx, j.index, err); err != nil {
				return err
			}
			continue
		}
		if err := e.count(j.index, one); err != nil {
			return err
		}
	}
	return nil
}

// count adds one image's matrix.
func (e *evaluation) count(index int, one *Confusion) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.total.Merge(one); err != nil {
		return err
	}
	e.images++
	if accuracy := one.PixelAccuracy(); e.o.Worst > 0 && !math.IsNaN(accuracy) {
		e.worst = append(e.worst, ImageScore{ID: e.d.Item(index).ID, MIoU: Score(one.MeanIoU()), PixelAccuracy: Score(accuracy)})
		slices.SortFunc(e.worst, func(a, b ImageScore) int {
			return cmp.Or(cmp.Compare(a.PixelAccuracy, b.PixelAccuracy), cmp.Compare(a.ID, b.ID))
		})
		e.worst = e.worst[:min(len(e.worst), e.o.Worst)]
	}
	e.step()
	return nil
}

// skip records an image that cannot be scored, or returns its error when the
// evaluation is to stop.
func (e *evaluation) skip(ctx context.Context, index int, err error) error {
	id := e.d.Item(index).ID
	if !e.o.KeepGoing || ctx.Err() != nil {
		return fmt.Errorf("image %s: %w", id, err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.skipped == nil {
		e.skipped = map[int]Skipped{}
	}
	e.skipped[index] = Skipped{ID: id, Error: err.Error()}
	e.step()
	return nil
}

// step reports progress; e.mu is held.
func (e *evaluation) step() {
	e.done++
	if e.o.Progress != nil {
		e.o.Progress(e.done, e.d.Len())
	}
}

func (e *evaluation) result() *Result {
	m := e.p.Metadata()
	r := NewResult(m.Space.Names(), e.total)
	r.Model, r.ConfigHash, r.Dataset = e.p.Name(), m.ConfigHash, e.o.Name
	r.Images, r.Width, r.Height, r.Worst = e.images, m.Input.Width, m.Input.Height, e.worst
	for i := range e.d.Len() {
		if s, ok := e.skipped[i]; ok {
			r.Skipped = append(r.Skipped, s)
		}
	}
	return r
}
