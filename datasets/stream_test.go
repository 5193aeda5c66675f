package datasets

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestStreamEqualsBatchForAnyWorkers(t *testing.T) {
	o := adaptation(t, 0)
	reference := mustLoader(t, o)
	for _, workers := range []int{1, 2, 5} {
		for _, prefetch := range []int{1, 7} {
			o.Workers, o.Prefetch = workers, prefetch
			s := mustLoader(t, o).Stream(t.Context(), 3)
			for it := 3; it < 10; it++ {
				b, err := s.Next(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if !cmp.Equal(mustBatch(t, reference, it), b) {
					t.Fatalf("%d workers: batch %d differs from iteration %d", workers, b.Iteration, it)
				}
			}
			stats := s.Stats()
			if stats.Batches != 7 || stats.Images != 28 || stats.Elapsed <= 0 || stats.Busy <= 0 || stats.Capacity <= 0 || stats.ImagesPerSecond() <= 0 {
				t.Errorf("%+v", stats)
			}
			s.Close()
		}
	}
}

func TestStreamLeaksNoGoroutines(t *testing.T) {
	o := adaptation(t, 1<<20)
	o.Workers = 4
	l := mustLoader(t, o)
	before := runtime.NumGoroutine()
	for round := range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		s := l.Stream(ctx, 0)
		for range round % 4 {
			if _, err := s.Next(ctx); err != nil {
				t.Fatal(err)
			}
		}
		if round%2 == 0 {
			cancel()
		}
		s.Close()
		s.Close()
		cancel()
		if round%2 == 1 {
			if _, err := s.Next(t.Context()); !errors.Is(err, ErrClosed) {
				t.Errorf("after Close: %v", err)
			}
		}
	}
	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; {
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestStreamEndsWithItsContext(t *testing.T) {
	o := adaptation(t, 0)
	ctx, cancel := context.WithCancel(t.Context())
	s := mustLoader(t, o).Stream(ctx, 0)
	defer s.Close()
	cancel()
	for range 3 {
		if _, err := s.Next(t.Context()); !errors.Is(err, context.Canceled) {
			t.Fatalf("%v", err)
		}
	}
}

// A Next that gives up loses no batch.
func TestNextKeepsTheBatch(t *testing.T) {
	o := adaptation(t, 0)
	s := mustLoader(t, o).Stream(t.Context(), 0)
	defer s.Close()
	want := 0
	for want < 8 {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Microsecond)
		b, err := s.Next(ctx)
		cancel()
		switch {
		case errors.Is(err, context.DeadlineExceeded):
		case err != nil:
			t.Fatal(err)
		case b.Iteration != want:
			t.Fatalf("iteration %d, want %d", b.Iteration, want)
		default:
			want++
		}
		time.Sleep(time.Millisecond)
	}
}

func TestStreamReturnsAnErrorOnce(t *testing.T) {
	o := adaptation(t, 0)
	o.Workers = 3
	l := mustLoader(t, o)
	broken := o.Target.Item(2).Image
	truncate(t, broken, 200)
	s := l.Stream(t.Context(), 0)
	defer s.Close()
	for it := 0; ; it++ {
		b, err := s.Next(t.Context())
		if err == nil {
			if b.Iteration != it || it > 100 {
				t.Fatalf("iteration %d, want %d", b.Iteration, it)
			}
			continue
		}
		wantError(t, err, broken, "truncated or damaged?")
		break
	}
	for range 3 {
		if _, err := s.Next(t.Context()); !errors.Is(err, ErrClosed) {
			t.Errorf("after the error: %v", err)
		}
	}
}
