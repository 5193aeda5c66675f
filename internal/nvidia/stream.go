package nvidia

/*
#include "cuda.h"
*/
import "C"

import (
	"fmt"
	"unsafe"
)

// Stream is a queue of work of a device. It is for one thread, which the caller has locked
// (runtime.LockOSThread).
type Stream struct {
	library unsafe.Pointer
	table   C.cuda_driver
	device  C.int
	handle  unsafe.Pointer
}

// NewStream makes a stream on the device of an ordinal. The device's primary context, which
// CUDA's runtime and with it ONNX Runtime use, becomes the calling thread's.
func NewStream(ordinal int) (*Stream, error) { return newStream(cudaLibrary, ordinal) }

func newStream(cuda string, ordinal int) (*Stream, error) {
	s := &Stream{library: open(cuda)}
	if s.library == nil {
		return nil, ErrNoDriver
	}
	if C.cuda_find(s.library, &s.table) == 0 || C.cuda_streams(&s.table) == 0 {
		C.nvidia_close(s.library)
		return nil, fmt.Errorf("%s is no NVIDIA driver, or one from before CUDA 11", cuda)
	}
	result := C.cuda_stream(&s.table, C.int(ordinal), &s.device, &s.handle)
	if err := check(&s.table, fmt.Sprintf("a stream on device %d", ordinal), result); err != nil {
		C.nvidia_close(s.library)
		return nil, err
	}
	return s, nil
}

// Handle is CUDA's own, a CUstream, which its runtime calls cudaStream_t.
func (s *Stream) Handle() unsafe.Pointer { return s.handle }

// Done reports whether all work that was given to the stream has been done. An error is the
// device's, of any work before.
func (s *Stream) Done() (bool, error) {
	const notReady = 600 // CUDA_ERROR_NOT_READY
	result := C.cuda_query(&s.table, s.handle)
	if result == notReady {
		return false, nil
	}
	return true, check(&s.table, "work on a stream", result)
}

// Close lets go of the stream.
func (s *Stream) Close() error {
	defer C.nvidia_close(s.library)
	return check(&s.table, "the end of a stream", C.cuda_end(&s.table, s.device, s.handle))
}
