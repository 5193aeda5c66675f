package nvidia

/*
#include <dlfcn.h>
#include <stdlib.h>

// What streams take of the driver's interface (cuda.h), of which results are 0 on success.
typedef struct {
	int (*init)(unsigned flags);
	int (*get)(int *device, int ordinal);
	int (*retain)(void **context, int device);
	int (*release)(int device);
	int (*current)(void *context);
	int (*create)(void **stream, unsigned flags);
	int (*query)(void *stream);
	int (*destroy)(void *stream);
} cuda_streams;

static int streams_find(void *l, cuda_streams *t) {
	t->init = dlsym(l, "cuInit");
	t->get = dlsym(l, "cuDeviceGet");
	t->retain = dlsym(l, "cuDevicePrimaryCtxRetain");
	t->release = dlsym(l, "cuDevicePrimaryCtxRelease_v2");
	t->current = dlsym(l, "cuCtxSetCurrent");
	t->create = dlsym(l, "cuStreamCreate");
	t->query = dlsym(l, "cuStreamQuery");
	t->destroy = dlsym(l, "cuStreamDestroy_v2");
	return t->init && t->get && t->retain && t->release && t->current && t->create && t->query && t->destroy;
}
static int streams_open(cuda_streams *t, int ordinal, int *device, void **stream) {
	const unsigned non_blocking = 1; // CU_STREAM_NON_BLOCKING: waits for no other stream
	void *context = NULL;
	int r = t->init(0);
	if (!r) r = t->get(device, ordinal);
	if (r) return r;
	r = t->retain(&context, *device);
	if (r) return r;
	r = t->current(context);
	if (!r) r = t->create(stream, non_blocking);
	if (r) t->release(*device);
	return r;
}
static int streams_query(cuda_streams *t, void *stream) { return t->query(stream); }
static int streams_close(cuda_streams *t, int device, void *stream) {
	int r = t->destroy(stream), e = t->release(device);
	return r ? r : e;
}
static const char *streams_error(void *l, int result) {
	const char *name = "unknown error";
	int (*error)(int, const char **) = dlsym(l, "cuGetErrorName");
	if (error) error(result, &name);
	return name;
}
static void streams_unload(void *library) { dlclose(library); }
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
	table   C.cuda_streams
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
	if C.streams_find(s.library, &s.table) == 0 {
		C.streams_unload(s.library)
		return nil, fmt.Errorf("%s is no NVIDIA driver, or one from before CUDA 11", cuda)
	}
	if err := s.check(fmt.Sprintf("a stream on device %d", ordinal), C.streams_open(&s.table, C.int(ordinal), &s.device, &s.handle)); err != nil {
		C.streams_unload(s.library)
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
	result := C.streams_query(&s.table, s.handle)
	if result == notReady {
		return false, nil
	}
	return true, s.check("work on a stream", result)
}

// Close lets go of the stream.
func (s *Stream) Close() error {
	defer C.streams_unload(s.library)
	return s.check("the end of a stream", C.streams_close(&s.table, s.device, s.handle))
}

// check turns the result of a call into an error.
func (s *Stream) check(what string, result C.int) error {
	if result == 0 {
		return nil
	}
	return fmt.Errorf("the NVIDIA driver fails: %s: %s (%d)", what, C.GoString(C.streams_error(s.library, result)), int(result))
}
