package peaktest

import (
	"runtime"
	"testing"
)

// Bound fails the test where work allocates more than most bytes, freed ones included.
// What other goroutines allocate meanwhile counts as well.
func Bound(tb testing.TB, most uint64, work func()) {
	tb.Helper()
	before := allocated()
	work()
	if n := allocated() - before; n > most {
		tb.Errorf("%d bytes were allocated, more than %d", n, most)
	}
}

// allocated is exact: unlike package runtime/metrics, MemStats counts what lies in the
// allocator's caches, megabytes at worst, when it was allocated and not when they change hands.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}
