package serve

import (
	"context"
	"math"
	"sync/atomic"
	"time"
)

// gate bounds how many requests are inside, and how many of these are at work.
type gate struct {
	inside, work chan struct{}
	mean         atomic.Uint64 // seconds of a request at work, float64 bits, a moving mean
}

func newGate(l Limits) *gate {
	return &gate{inside: make(chan struct{}, l.Concurrency+l.Queue), work: make(chan struct{}, l.Concurrency)}
}

// enter lets a request in, or not. leave must be called where it was let in.
func (g *gate) enter() (leave func(), ok bool) {
	select {
	case g.inside <- struct{}{}:
		return func() { <-g.inside }, true
	default:
		return nil, false
	}
}

// begin waits for a place to work.
func (g *gate) begin(ctx context.Context) (end func(), err error) {
	select {
	case g.work <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	began := time.Now()
	return func() {
		<-g.work
		g.took(time.Since(began).Seconds())
	}, nil
}

// took moves the mean by a tenth of the way. That two requests at once may lose one of
// their steps does not matter.
func (g *gate) took(seconds float64) {
	mean := math.Float64frombits(g.mean.Load())
	if mean != 0 {
		seconds = mean + 0.1*(seconds-mean)
	}
	g.mean.Store(math.Float64bits(seconds))
}

// retryAfter is in how many seconds there will be room, as far as one can tell.
func (g *gate) retryAfter() int {
	waiting := float64(len(g.inside)) / float64(cap(g.work))
	return int(min(max(math.Ceil(waiting*math.Float64frombits(g.mean.Load())), 1), 60))
}
