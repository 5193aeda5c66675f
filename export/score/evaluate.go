package score

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"t2sda/datasets"
	"t2sda/export/predict"
	"t2sda/internal/interrupt"
	"t2sda/internal/raster"
)

// Options of [Evaluate]; the zero value will do.
type Options struct {
	// Workers is the number of goroutines that read or score at a time while the
	// session runs. 0: one less than there are CPUs, so that the goroutine that
	// runs the session need not wait for a CPU between runs. Memory is that of
	// Workers+2 images with their logits at most.
	Workers int
	// Progress is called after every image, never by two goroutines at once.
	Progress func(done, total int)
	// KeepGoing leaves out images that cannot be read or scored and lists them
	// in [Result.Skipped], instead of stopping at the first. A failing model, or one
	// whose logits are not finite, stops all the same. What the data set left out when it was opened
	// is listed in any case.
	KeepGoing bool
	// Worst is the number of images with the lowest pixel accuracy to list.
	Worst int
	// Name of the data set in the result; empty: its layout, root and split.
	Name string
	// Each is called with every image's prediction after it was scored, by several
	// goroutines at a time. Its error ends the evaluation.
	Each func(Prediction) error
	// Part of Parts is what is evaluated here of an evaluation that several processes
	// share: the images whose number has the remainder Part. 0 Parts: all of it.
	Part, Parts int
	// Together tells the other processes what was counted here, or with which error it
	// ended, and returns what all have counted, in one order. All then get the whole
	// result. Nil with one part.
	Together func(counted []byte, err error) ([][]byte, error)
	// While does what is to be done here, and ends its context when what another process does
	// has failed. Nil: nobody is asked before all have ended.
	While func(ctx context.Context, work func(ctx context.Context) error) error
}

// Prediction is what a model says to one image.
type Prediction struct {
	Index  int    // in the data set
	ID     string // of the image
	Image  *raster.Image
	Truth  *raster.Labels
	Labels *raster.Labels // predicted, at the size of Truth
	Score  ImageScore
}

// Evaluate runs the model over all images of a labelled data set and scores its
// labels at the full size of the label files. Open the data set at
// [predict.Predictor.ImageSize], so that decoded images are small. Decoding,
// inference and scoring overlap.
//
// It is an error when the data set's classes are not the model's, by name and in
// order, and, without KeepGoing, when an image has no label. The result does not
// depend on Workers.
func Evaluate(ctx context.Context, p *predict.Predictor, d *datasets.Dataset, o Options) (*Result, error) {
	if err := sameClasses(p, d); err != nil {
		return nil, err
	}
	if o.Name == "" {
		o.Name = d.Place()
	}
	if o.Workers <= 0 {
		o.Workers = max(1, runtime.GOMAXPROCS(0)-1)
	}
	o.Parts = max(o.Parts, 1)
	o.Workers = min(o.Workers, max(1, d.Len()))
	tasks := o.Workers + 2
	if !p.SingleRun() {
		tasks = 3 // read, run and scored: each is large, and runs take much longer than the rest
	}
	e := &evaluation{
		p: p, d: d, o: o,
		ready: make(chan job, tasks), inferred: make(chan job, tasks), free: make(chan *predict.Task, tasks),
		turns: make(chan struct{}, o.Workers),
		total: NewConfusion(len(p.Space().Classes)),
	}
	start := time.Now()
	if err := e.join(e.among(ctx)); err != nil {
		err = fmt.Errorf("evaluate %s: %w", p.Name(), err)
		return nil, interrupt.Explain(err, "stopped after %d of %d images", e.done, e.share())
	}
	r, err := e.result()
	if err != nil {
		return nil, fmt.Errorf("evaluate %s: %w", p.Name(), err)
	}
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
	turns    chan struct{} // holds one for everybody who reads or scores

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
	image *raster.Image // nil unless [Options.Each] wants it
	truth *raster.Labels
}

func (e *evaluation) run(ctx context.Context) error {
	for range cap(e.free) {
		s := e.p.NewTask()
		defer s.Close()
		e.free <- s
	}
	group, ctx := errgroup.WithContext(ctx)
	var loaders sync.WaitGroup
	for range e.o.Workers {
		loaders.Add(1)
		group.Go(func() error {
			defer loaders.Done()
			return e.load(ctx)
		})
		group.Go(func() error {
			return e.score()
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
		i := (int(e.next.Add(1))-1)*e.o.Parts + e.o.Part
		if i >= e.d.Len() {
			return nil
		}
		var s *predict.Task
		select {
		case s = <-e.free:
		case <-ctx.Done():
			return ctx.Err()
		}
		e.turns <- struct{}{}
		j, err := e.fill(ctx, i, s)
		<-e.turns
		switch {
		case err != nil:
			return err
		case j.task == nil:
			e.free <- s
		default:
			e.ready <- j // has room for every task
		}
	}
}

// fill reads an image into a task; the job has none when the image is skipped.
func (e *evaluation) fill(ctx context.Context, i int, s *predict.Task) (job, error) {
	sample, err := e.d.LoadScored(ctx, i)
	if err != nil {
		return job{}, e.skip(ctx, i, err)
	}
	if err := s.Fill(sample.Image); err != nil {
		return job{}, fmt.Errorf("image %s: %w", e.d.Item(i).ID, err)
	}
	if e.o.Each == nil {
		sample.Image = nil // its memory is free for the next
	}
	return job{index: i, task: s, image: sample.Image, truth: sample.Labels}, nil
}

// infer runs the session on one image after the other.
func (e *evaluation) infer(ctx context.Context) error {
	for j := range e.ready {
		if err := j.task.Run(ctx); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fmt.Errorf("image %s: %w", e.d.Item(j.index).ID, err)
		}
		e.inferred <- j // has room for every task
	}
	return nil
}

// score compares predictions with labels.
func (e *evaluation) score() error {
	for j := range e.inferred {
		e.turns <- struct{}{}
		err := e.scoreOne(j)
		<-e.turns
		if err != nil {
			return fmt.Errorf("image %s: %w", e.d.Item(j.index).ID, err)
		}
	}
	return nil
}

func (e *evaluation) scoreOne(j job) error {
	labels, err := j.task.Labels(j.truth.W, j.truth.H)
	e.free <- j.task
	if err != nil {
		return err
	}
	one := NewConfusion(e.total.Classes())
	if err := one.Add(j.truth, labels); err != nil {
		return err
	}
	id := e.d.Item(j.index).ID
	score := ImageScore{ID: id, MIoU: Score(one.MeanIoU()), PixelAccuracy: Score(one.PixelAccuracy())}
	if e.o.Each != nil {
		err := e.o.Each(Prediction{Index: j.index, ID: id, Image: j.image, Truth: j.truth, Labels: labels, Score: score})
		if err != nil {
			return err
		}
	}
	return e.count(one, score)
}

// count adds one image's matrix.
func (e *evaluation) count(one *Confusion, score ImageScore) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.total.Merge(one); err != nil {
		return err
	}
	e.images++
	if e.o.Worst > 0 && !math.IsNaN(float64(score.PixelAccuracy)) {
		e.worst = e.lowest(append(e.worst, score))
	}
	e.step()
	return nil
}

// skip records an image that cannot be scored, or returns its error when the
// evaluation is to stop.
func (e *evaluation) skip(ctx context.Context, index int, err error) error {
	id := e.d.Item(index).ID
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if !e.o.KeepGoing || errors.Is(err, predict.ErrNotFinite) {
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
		e.o.Progress(e.done, e.share())
	}
}

func (e *evaluation) result() (*Result, error) {
	r := NewResult(e.p.Space().Names(), e.total)
	r.Model, r.ConfigHash, r.Dataset = e.p.Name(), e.p.Metadata().ConfigHash, e.o.Name
	i := e.p.Inference()
	if len(i.Scales) == 1 && i.Scales[0] == 1 {
		i.Scales = nil
	}
	r.Inference = Inference{Width: i.Width, Height: i.Height, Window: [2]int{i.WindowWidth, i.WindowHeight}, Overlap: i.Overlap, Scales: i.Scales, Flip: i.Flip, Divisor: i.Divisor}
	r.Images, r.Worst = e.images, e.worst
	for i := range e.d.Len() {
		if s, ok := e.skipped[i]; ok {
			r.Skipped = append(r.Skipped, s)
		}
	}
	for _, err := range e.d.LeftOut() {
		r.Skipped = append(r.Skipped, Skipped{Error: err.Error()})
	}
	return r, r.group(e.d.Map().Grouping())
}
