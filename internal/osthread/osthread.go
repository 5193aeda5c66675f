// Package osthread runs functions on one thread of the operating system, for libraries of
// C that want to be called by the thread that has set them up.
package osthread

import (
	"runtime"
	"time"
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

// CallWithin is Call that waits so long at most. Where it returns false, f may still be
// under way, and its results are not to be looked at.
func (t *Thread) CallWithin(limit time.Duration, f func()) bool {
	end := time.NewTimer(limit)
	defer end.Stop()
	done := make(chan struct{})
	select {
	case t.calls <- func() { defer close(done); f() }:
	case <-end.C:
		return false
	}
	select {
	case <-done:
		return true
	case <-end.C:
		return false
	}
}

// Close ends the thread after what it is doing.
func (t *Thread) Close() { close(t.calls) }
