package trial

import (
	"context"
	"time"
)

// Clock is a context that sums the time spent inside of ONNX Runtime: a binding registers
// for the context's end (context.AfterFunc) for just the time of a call, see engine's
// Session.call. It never ends.
type Clock struct {
	context.Context
	Spent time.Duration
	Calls int

	done chan struct{}
}

// NewClock returns a clock with ctx's values.
func NewClock(ctx context.Context) *Clock {
	return &Clock{Context: ctx, done: make(chan struct{})}
}

// Err is nil: what is under way is not stopped.
func (c *Clock) Err() error { return nil }

// Done is never closed.
func (c *Clock) Done() <-chan struct{} { return c.done }

// AfterFunc is what context.AfterFunc calls.
func (c *Clock) AfterFunc(func()) (stop func() bool) {
	start := time.Now()
	return func() bool {
		c.Spent += time.Since(start)
		c.Calls++
		return true
	}
}
