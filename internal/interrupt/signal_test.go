package interrupt

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"
)

// TestNotify: a signal ends the context as any end of it, and its number is the exit
// code's.
func TestNotify(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		ctx, stop := Notify(t.Context(), syscall.SIGINT, syscall.SIGTERM)
		defer stop()
		if err := syscall.Kill(syscall.Getpid(), s); err != nil {
			t.Fatal(err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(10 * time.Second):
			t.Fatalf("%v did not end the context", s)
		}
		if !errors.Is(ctx.Err(), context.Canceled) || ExitCode(ctx) != 128+int(s) {
			t.Errorf("%v: %v, exit code %d", s, ctx.Err(), ExitCode(ctx))
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if code := ExitCode(ctx); code != 130 {
		t.Errorf("without a signal: exit code %d", code)
	}
}
