// Package osthread runs functions on one thread of the operating system, for libraries of
// C that want to be called by the thread that has set them up.
package osthread

import (
	"context"
	"runtime"
)

// Thread runs what it is given, one after the other. It must be closed.
type Thread struct{ calls chan func() }

// New starts a thread.
func New() *Thread {
	t := &Thread{make(chan func())}
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		for f := range t.calls {
			f()
		}
	}()
	return t
}

// Call runs f and waits for its end.
func (t *Thread) Call(f func()) {
	done := make(chan struct{})
	t.calls <- func() { defer close(done); f() }
	<-done
}

// CallUntil is Call that waits until ctx ends at most. Where it returns false, f may still be
// under way, and its results are not to be looked at.
func (t *Thread) CallUntil(ctx context.Context, f func()) bool {
	done := make(chan struct{})
	select {
	case t.calls <- func() { defer close(done); f() }:
	case <-ctx.Done():
		return false
	}
	select {
	case <-done:
		return true
	case <-ctx.Done():
		return false
	}
}

// Close ends the thread after what it is doing.
func (t *Thread) Close() { close(t.calls) }
