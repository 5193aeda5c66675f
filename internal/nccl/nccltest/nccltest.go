// Package nccltest stands in for NCCL and for GPUs: ranks are threads or processes of one
// machine, and the memory of their devices is the host's.
package nccltest

import (
	_ "embed"
	"errors"
	"sync/atomic"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

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

// Stream is that of a device whose work threads of the library do. It is a count of what has
// not been done.
type Stream struct{ left *int32 }

// NewStream makes a stream, whose memory is the library's to write.
func NewStream() (*Stream, error) {
	m, err := unix.Mmap(-1, 0, int(unsafe.Sizeof(int32(0))), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, err
	}
	return &Stream{(*int32)(unsafe.Pointer(unsafe.SliceData(m)))}, nil
}

// Handle implements nccl.Stream.
func (s *Stream) Handle() unsafe.Pointer { return unsafe.Pointer(s.left) }

// Done implements nccl.Stream.
func (s *Stream) Done() (bool, error) { return atomic.LoadInt32(s.left) == 0, nil }

// Close implements nccl.Stream. What is still under way keeps the memory.
func (s *Stream) Close() error {
	if done, _ := s.Done(); !done {
		return errors.New("its work is still the device's")
	}
	return unix.Munmap(unsafe.Slice((*byte)(s.Handle()), unsafe.Sizeof(int32(0))))
}
