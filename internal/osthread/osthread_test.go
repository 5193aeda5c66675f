package osthread

import (
	"testing"
	"time"
)

func TestThread(t *testing.T) {
	thread := New()
	n := 0
	thread.Call(func() { n++ })
	if !thread.CallWithin(time.Minute, func() { n++ }) || n != 2 {
		t.Errorf("%d calls, want 2", n)
	}
	held := make(chan struct{})
	if thread.CallWithin(time.Millisecond, func() { <-held }) {
		t.Error("a call that does not end is not told of")
	}
	if thread.CallWithin(time.Millisecond, func() {}) {
		t.Error("a thread that is held has run something else")
	}
	close(held)
	thread.Call(func() { n++ })
	if n != 3 {
		t.Errorf("%d calls, want 3", n)
	}
	thread.Close()
}
