package datasets

import (
	"context"
	"errors"
	"sync"
	"time"
)

// ErrClosed is what a stream returns after Close, and after it has returned the
// error that ended it.
var ErrClosed = errors.New("datasets: the stream is closed")

// errStopped is the cause with which a stream ends its own work.
var errStopped = errors.New("stopped")

// StreamStats tell how a stream keeps up.
type StreamStats struct {
	Batches, Images int           // handed out
	Elapsed         time.Duration // since the stream began
	Waited          time.Duration // in which Next had no batch ready
	Busy            time.Duration // that workers spent on the batches made so far, all workers together
	Capacity        float64       // images per second that the workers can make
}

// ImagesPerSecond returns the images handed out per second since the stream
// began: the rate of whoever is slower, loader or consumer.
func (s StreamStats) ImagesPerSecond() float64 {
	if s.Elapsed <= 0 {
		return 0
	}
	return float64(s.Images) / s.Elapsed.Seconds()
}

// Stream makes batches ahead of their use. Its methods are for one goroutine,
// except for Stats and Close.
type Stream struct {
	ctx     context.Context
	cancel  context.CancelCauseFunc
	loader  *Loader
	pending chan chan result // in the order of iterations
	current chan result      // the next batch when a Next was interrupted while it waited
	wg      sync.WaitGroup

	mu      sync.Mutex
	stats   StreamStats
	made    int // images made by workers
	started time.Time
}

type result struct {
	batch *Batch
	err   error
}

type job struct {
	iteration int
	micro     int
	out       chan result // holds one result, so that no worker waits
}

// Stream begins to make the micro-batches of the loader's share, one after the other,
// from iteration from on. Whoever begins a stream must close it; cancelling ctx stops its
// work as well.
func (l *Loader) Stream(ctx context.Context, from int) *Stream {
	ctx, cancel := context.WithCancelCause(ctx)
	s := &Stream{ctx: ctx, cancel: cancel, loader: l, pending: make(chan chan result, l.opts.Prefetch), started: time.Now()}
	jobs := make(chan job)
	s.wg.Go(func() { s.dispatch(jobs, from) })
	for range l.opts.Workers {
		s.wg.Go(func() { s.work(jobs) })
	}
	return s
}

// dispatch hands out iterations; pending bounds how far it runs ahead.
func (s *Stream) dispatch(jobs chan<- job, from int) {
	defer close(jobs)
	share := s.loader.opts.Share
	for n := 0; ; n++ {
		j := job{iteration: from + n/share.Len(), micro: share.From + n%share.Len(), out: make(chan result, 1)}
		select {
		case s.pending <- j.out:
		case <-s.ctx.Done():
			return
		}
		select {
		case jobs <- j:
		case <-s.ctx.Done():
			return
		}
	}
}

func (s *Stream) work(jobs <-chan job) {
	for j := range jobs {
		begin := time.Now()
		b, err := s.loader.MicroBatch(s.ctx, j.iteration, j.micro)
		j.out <- result{b, err}
		if err != nil {
			continue
		}
		s.mu.Lock()
		s.made += b.Images()
		s.stats.Busy += time.Since(begin)
		s.mu.Unlock()
	}
}

// Next returns the batches in the order of their iterations and places. An error of a
// batch (it names the file) is returned once, in that batch's place, and ends
// the stream; after that and after Close it returns [ErrClosed]. When ctx ends
// while it waits, the batch is kept for the next call.
func (s *Stream) Next(ctx context.Context) (*Batch, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s.ctx.Err() != nil {
		return nil, s.ended()
	}
	begin := time.Now()
	if s.current == nil {
		select {
		case s.current = <-s.pending:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-s.ctx.Done():
			return nil, s.ended()
		}
	}
	select {
	case r := <-s.current:
		s.current = nil
		return s.deliver(r, time.Since(begin))
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-s.ctx.Done():
		return nil, s.ended()
	}
}

func (s *Stream) deliver(r result, waited time.Duration) (*Batch, error) {
	if r.err != nil {
		s.cancel(errStopped)
		return nil, r.err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stats.Batches++
	s.stats.Images += r.batch.Images()
	s.stats.Waited += waited
	return r.batch, nil
}

// ended tells a stream that was closed or failed from one whose context ended.
func (s *Stream) ended() error {
	if err := context.Cause(s.ctx); !errors.Is(err, errStopped) {
		return err
	}
	return ErrClosed
}

// Stats returns the figures so far.
func (s *Stream) Stats() StreamStats {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.stats
	out.Elapsed = time.Since(s.started)
	if out.Busy > 0 {
		out.Capacity = float64(s.made) * float64(s.loader.opts.Workers) / out.Busy.Seconds()
	}
	return out
}

// Close stops the workers and waits for them. It may be called more than once.
func (s *Stream) Close() {
	s.cancel(errStopped)
	s.wg.Wait()
}
