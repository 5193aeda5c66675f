package osthread

import (
	"context"
	"testing"
	"time"
)

func TestThread(t *testing.T) {
	thread := New()
	n := 0
	thread.Call(func() { n++ })
	if !thread.CallUntil(t.Context(), func() { n++ }) || n != 2 {
		t.Errorf("%d calls, want 2", n)
	}
	held := make(chan struct{})
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if thread.CallUntil(ctx, func() { <-held }) {
		t.Error("a call that does not end is not told of")
	}
	if thread.CallUntil(ctx, func() {}) {
		t.Error("a thread that is held has run something else")
	}
	close(held)
	thread.Call(func() { n++ })
	if n != 3 {
		t.Errorf("%d calls, want 3", n)
	}
	thread.Close()
}
