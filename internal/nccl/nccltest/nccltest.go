// Package nccltest stands in for NCCL and for GPUs: ranks are threads or processes of one
// machine, and the memory of their devices is the host's.
package nccltest

import (
	_ "embed"
	"testing"
	"unsafe"

	"t2sda/internal/ctest"
)

//go:embed testdata/fake.c
var fake string

// Build compiles the library that stands in for NCCL and returns its path. Flags are those
// that its source names, such as -DVERSION=22703. Where there is no C compiler the test is
// skipped.
func Build(t testing.TB, flags ...string) string {
	t.Helper()
	return ctest.Library(t, "libnccl.so.2", fake, flags...)
}

// Stream is that of a device whose work is done when it is given.
type Stream struct {
	Busy bool // never mind: it is not done
}

// Handle implements nccl.Stream.
func (Stream) Handle() unsafe.Pointer { return nil }

// Done implements nccl.Stream.
func (s Stream) Done() (bool, error) { return !s.Busy, nil }

// Close implements nccl.Stream.
func (Stream) Close() error { return nil }
