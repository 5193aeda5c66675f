package parallel

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
)

func TestForEach(t *testing.T) {
	for _, workers := range []int{0, 1, 3, 50} {
		var calls [20]atomic.Int32
		var last, reports int
		progress := func(done, total int) {
			if done != last+1 || total != len(calls) {
				t.Errorf("%d workers: %d of %d after %d", workers, done, total, last)
			}
			last = done
			reports++
		}
		err := ForEach(t.Context(), workers, len(calls), []func(int, int){nil, progress}, func(i int) error {
			calls[i].Add(1)
			return nil
		})
		if err != nil || reports != len(calls) {
			t.Errorf("%d workers: %d reports, %v", workers, reports, err)
		}
		for i := range calls {
			if n := calls[i].Load(); n != 1 {
				t.Errorf("%d workers: %d was done %d times", workers, i, n)
			}
		}
	}
}

// TestForEachStops: an error, or the end of the context, ends the work before all
// of it is done.
func TestForEachStops(t *testing.T) {
	bad := errors.New("bad")
	var done atomic.Int32
	err := ForEach(t.Context(), 2, 1000, nil, func(i int) error {
		if done.Add(1); i == 5 {
			return bad
		}
		return nil
	})
	if !errors.Is(err, bad) || done.Load() == 1000 {
		t.Errorf("%v after %d", err, done.Load())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := ForEach(ctx, 2, 10, nil, func(int) error { t.Error("called"); return nil }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
