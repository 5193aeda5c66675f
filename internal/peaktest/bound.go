package peaktest

import (
	"runtime/metrics"
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

func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
