package reel

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"t2sda/export/predict"
	"t2sda/internal/atomicfile"
	"t2sda/internal/ffmpeg"
	"t2sda/internal/interrupt"
)

// Summary is what [Run] did.
type Summary struct {
	Frames int     // predicted
	Files  int     // written
	Passed int     // frames, or rests of videos, that could not be read
	Faults []error // why, of the first of them
	Took   time.Duration

	Videos bool // some of the frames are of videos
	Apart  bool // frames could not share runs, as their results would not have been the same
}

// mostFaults is how many faults are kept.
const mostFaults = 100

// Run predicts image files, those that patterns and numbered sequences name, all images
// below folders, and the frames of videos, in order, and writes what the formats ask for below
// outDir: the file's name with another extension, below a folder with its path inside of it,
// of videos in a folder for each frame. It is an error, before anything is predicted, when two
// inputs would become one file, when an input or, without Force, any file would be
// overwritten, or when there are none.
func Run(ctx context.Context, p *predict.Predictor, paths []string, outDir string, o Options) (Summary, error) {
	s, err := run(ctx, p, paths, outDir, o)
	if err != nil {
		err = fmt.Errorf("predict: %w", err)
	}
	return s, err
}

func run(ctx context.Context, p *predict.Predictor, paths []string, outDir string, o Options) (Summary, error) {
	if err := o.complete(); err != nil {
		return Summary{}, err
	}
	if o.Batch > 1 && !p.SharesRuns() {
		if p.SingleRun() {
			return Summary{}, fmt.Errorf("a batch of %d: %s takes one image at a time (export --dynamic makes models that take any number)", o.Batch, p.Name())
		}
		return Summary{}, fmt.Errorf("a batch of %d: windows, scales and mirroring make several runs of each image already", o.Batch)
	}
	found, err := o.find(paths)
	if err != nil {
		return Summary{}, err
	}
	r := &reel{p: p, o: &o}
	var tools *ffmpeg.Tools
	r.summary.Videos = hasVideo(found.entries)
	if r.summary.Videos || o.wants(FormatVideo) {
		if tools, err = ffmpeg.Find(ctx); err != nil {
			return Summary{}, err
		}
	}
	at := &place{force: o.Force}
	if r.products, err = o.products(ctx, p, outDir, at, tools); err != nil {
		return Summary{}, err
	}
	if err := o.check(found.entries, r.products, at); err != nil {
		return Summary{}, err
	}
	_ = atomicfile.RemoveLeftoversBeside(outputs(found.entries, r.products)...) // what stays costs space only
	if r.source, err = newSource(ctx, found.entries, tools, o.KeepGoing, o.wants(FormatVideo)); err != nil {
		return Summary{}, err
	}
	if o.Passed != nil {
		o.Passed(found.passed)
	}
	began := time.Now()
	err = r.roll(ctx)
	r.summary.Files, r.summary.Took, r.summary.Apart = int(at.count.Load()), time.Since(began), p.Differs()
	if err != nil {
		return r.summary, interrupt.Explain(err, "stopped after %d frames; what lies in %s is whole, videos and annotations that were not finished are gone", r.summary.Frames, outDir)
	}
	return r.summary, nil
}

func hasVideo(entries []entry) bool {
	for _, e := range entries {
		if e.kind == video {
			return true
		}
	}
	return false
}

// reel is a run under way.
type reel struct {
	p        *predict.Predictor
	o        *Options
	source   *source
	products []product
	summary  Summary
}

// item is a frame under way.
type item struct {
	result
	fault   error         // the frame's: it may be passed over
	err     error         // anything else's
	ready   chan struct{} // closed when it has been read, or has a fault
	made    chan struct{} // closed when all is made of it that can be made in any order
	inOrder []func() error
}

// roll is a pipeline: frames are read one after the other, made ready side by side, run
// through the model in order, made something of side by side, and ended in order. The first
// frame, in order, that fails ends it.
func (r *reel) roll(ctx context.Context) (err error) {
	workers := r.o.Workers
	if workers == 0 {
		workers = min(runtime.GOMAXPROCS(0), 4)
	}
	most := r.o.Batch + workers
	tokens := make(chan struct{}, most) // a frame under way has one
	read, ran := make(chan *item, most), make(chan *item, most)
	group, ctx := errgroup.WithContext(ctx)
	defer func() {
		for _, p := range r.products {
			p.abort()
		}
	}()
	group.Go(func() error {
		defer close(read)
		defer r.source.close()
		return r.feed(ctx, group, tokens, read)
	})
	group.Go(func() error {
		defer close(ran)
		return r.runModel(ctx, group, read, ran)
	})
	group.Go(func() error { return r.end(ctx, tokens, ran) })
	if err := group.Wait(); err != nil {
		return err
	}
	for _, p := range r.products {
		if err := p.finish(); err != nil {
			return err
		}
	}
	return nil
}

// feed reads frames.
func (r *reel) feed(ctx context.Context, group *errgroup.Group, tokens chan<- struct{}, read chan<- *item) error {
	for {
		select {
		case tokens <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		f, err := r.source.next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		it := &item{result: result{frame: f}, fault: f.fault, ready: make(chan struct{}), made: make(chan struct{})}
		read <- it // has room for every token
		group.Go(func() error {
			defer close(it.ready)
			r.prepare(it)
			return nil
		})
	}
}

// prepare reads an item's frame and fills its task.
func (r *reel) prepare(it *item) {
	if it.fault != nil {
		return
	}
	if it.img, it.fault = it.read(); it.fault != nil {
		return
	}
	it.task = r.p.NewTask()
	it.err = it.task.Fill(it.img)
}

// runModel runs the model, on as many frames at once as share a run.
func (r *reel) runModel(ctx context.Context, group *errgroup.Group, read <-chan *item, ran chan<- *item) error {
	var batch []*item
	flush := func() {
		r.runBatch(ctx, batch)
		for _, it := range batch {
			ran <- it // has room for every token
			group.Go(func() error {
				defer close(it.made)
				r.make(it)
				return nil
			})
		}
		batch = nil
	}
	for it := range read {
		select {
		case <-it.ready:
		case <-ctx.Done():
			return ctx.Err()
		}
		if batch = append(batch, it); len(batch) == r.o.Batch {
			flush()
		}
	}
	flush()
	return ctx.Err()
}

// runBatch runs those of a batch that can be.
func (r *reel) runBatch(ctx context.Context, batch []*item) {
	var good []*item
	var tasks []*predict.Task
	for _, it := range batch {
		if it.fault == nil && it.err == nil {
			good, tasks = append(good, it), append(tasks, it.task)
		}
	}
	for i, err := range r.p.RunAlike(ctx, tasks) {
		good[i].err = err
	}
}

// make makes of an item what there is to make.
func (r *reel) make(it *item) {
	if it.task == nil {
		return
	}
	defer it.task.Close()
	if it.err != nil {
		return
	}
	if it.labels, it.err = it.task.Labels(it.img.W, it.img.H); it.err != nil {
		return
	}
	it.drawn = sync.OnceValue(func() *image.NRGBA { return r.o.Overlay.draw(r.p.Space(), it.img, it.labels) })
	for _, p := range r.products {
		inOrder, err := p.take(&it.result)
		if err != nil {
			it.err = err
			return
		}
		if inOrder != nil {
			it.inOrder = append(it.inOrder, inOrder)
		}
	}
}

// end ends items in order.
func (r *reel) end(ctx context.Context, tokens <-chan struct{}, ran <-chan *item) error {
	total := r.source.total()
	for it := range ran {
		if ctx.Err() != nil { // whatever is ready as well
			return ctx.Err()
		}
		select {
		case <-it.made:
		case <-ctx.Done():
			return ctx.Err()
		}
		if it.err != nil {
			return fmt.Errorf("%s: %w", it.label, it.err)
		}
		for _, do := range it.inOrder {
			if err := do(); err != nil {
				return err
			}
		}
		switch {
		case it.fault != nil && !r.o.KeepGoing:
			return it.fault
		case it.fault != nil:
			r.pass(it.fault)
		default:
			r.summary.Frames++
		}
		<-tokens
		if done := r.summary.Frames + r.summary.Passed; r.o.Progress != nil {
			if total > 0 {
				total = max(total, done) // it may be an estimate
			}
			r.o.Progress(done, total)
		}
	}
	return nil
}

// pass passes a frame over.
func (r *reel) pass(fault error) {
	r.summary.Passed++
	if len(r.summary.Faults) < mostFaults {
		r.summary.Faults = append(r.summary.Faults, fault)
	}
}
