package interrupt

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// received is the cause of a context that a signal has ended.
type received struct{ signal os.Signal }

func (r received) Error() string { return "received signal: " + r.signal.String() }

// Notify returns a context that the first of the signals ends, as [signal.NotifyContext]
// does, and remembers which one it was. stop gives the signals their usual effect back,
// after which they end the process.
func Notify(parent context.Context, signals ...os.Signal) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	c := make(chan os.Signal, 1)
	signal.Notify(c, signals...)
	go func() {
		select {
		case s := <-c:
			cancel(received{s})
		case <-ctx.Done():
		}
	}()
	return ctx, sync.OnceFunc(func() {
		signal.Stop(c)
		cancel(nil)
	})
}

// ExitCode is what shells make of a process that a signal ended: 128 + its number, of
// the signal that ended ctx, and SIGINT's where something else did.
func ExitCode(ctx context.Context) int {
	number := syscall.SIGINT
	if r := (received{}); errors.As(context.Cause(ctx), &r) {
		if s, ok := r.signal.(syscall.Signal); ok {
			number = s
		}
	}
	return 128 + int(number)
}
