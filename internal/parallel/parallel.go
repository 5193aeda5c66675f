// Package parallel spreads work over goroutines.
package parallel

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
)

// ForEach calls do for 0 … n−1 on workers goroutines (0: one per core), until
// one returns an error or the context ends. Each progress function is called
// after each call, from one goroutine at a time; nil ones are left out.
func ForEach(ctx context.Context, workers, n int, progress []func(done, total int), do func(i int) error) error {
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	var mu sync.Mutex
	var next atomic.Int64
	done := 0
	g, ctx := errgroup.WithContext(ctx)
	for range min(workers, n) {
		g.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return nil
				}
				if err := ctx.Err(); err != nil {
					return err
				}
				if err := do(i); err != nil {
					return err
				}
				mu.Lock()
				done++
				for _, report := range progress {
					if report != nil {
						report(done, n)
					}
				}
				mu.Unlock()
			}
		})
	}
	return g.Wait()
}
