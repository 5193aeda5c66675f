package nvidia

/*
#cgo linux LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

// The driver's interface (cuda.h), of which results are 0 on success.
typedef struct {
	void *library;
	int (*init)(unsigned flags);
	int (*version)(int *out);
	int (*count)(int *out);
	int (*get)(int *device, int ordinal);
	int (*name)(char *out, int n, int device);
	int (*memory)(size_t *out, int device);
	int (*uuid)(unsigned char out[16], int device);
	int (*attribute)(int *out, int which, int device);
	int (*error)(int result, const char **out);
} cuda_driver;

// A driver that has been set up stays loaded: it keeps threads and handlers of its own.
static void *nvidia_open(const char *name, int stays) {
	return dlopen(name, RTLD_LAZY | RTLD_LOCAL | (stays ? RTLD_NODELETE : 0));
}
static void nvidia_close(void *library) { dlclose(library); }

// nvidia_cuda fills the table and reports whether all of it is there.
static int nvidia_cuda(void *l, cuda_driver *d) {
	d->library = l;
	d->init = dlsym(l, "cuInit");
	d->version = dlsym(l, "cuDriverGetVersion");
	d->count = dlsym(l, "cuDeviceGetCount");
	d->get = dlsym(l, "cuDeviceGet");
	d->name = dlsym(l, "cuDeviceGetName");
	d->memory = dlsym(l, "cuDeviceTotalMem_v2");
	d->uuid = dlsym(l, "cuDeviceGetUuid");
	d->attribute = dlsym(l, "cuDeviceGetAttribute");
	d->error = dlsym(l, "cuGetErrorName");
	return d->init && d->version && d->count && d->get && d->name && d->memory && d->uuid && d->attribute && d->error;
}
static int cuda_init(cuda_driver *d) { return d->init(0); }
static int cuda_version(cuda_driver *d, int *out) { return d->version(out); }
static int cuda_count(cuda_driver *d, int *out) { return d->count(out); }
static int cuda_device(cuda_driver *d, int ordinal, char *name, int n, size_t *memory, unsigned char *uuid, int *major, int *minor) {
	const int compute_major = 75, compute_minor = 76; // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_…
	int device = 0, r = d->get(&device, ordinal);
	if (!r) r = d->name(name, n, device);
	if (!r) r = d->memory(memory, device);
	if (!r) r = d->uuid(uuid, device);
	if (!r) r = d->attribute(major, compute_major, device);
	if (!r) r = d->attribute(minor, compute_minor, device);
	return r;
}
static const char *cuda_error(cuda_driver *d, int result) {
	const char *name = "unknown error";
	d->error(result, &name);
	return name;
}
*/
import "C"

import (
	"errors"
	"fmt"
	"unsafe"
)

// Driver is what the driver says of itself and of its GPUs.
type Driver struct {
	Version string `json:"version,omitempty"` // such as 580.159.04; empty where its management library is not there
	CUDA    int    `json:"cuda"`              // the newest CUDA that it runs: 13020 is 13.2
	GPUs    []GPU  `json:"gpus"`              // in the order of CUDA's ordinals, those that CUDA_VISIBLE_DEVICES leaves
}

// GPU is a device of the driver's.
type GPU struct {
	Name       string `json:"name"`
	Memory     int64  `json:"memory"`     // bytes
	Capability string `json:"capability"` // such as 9.0
	UUID       string `json:"uuid"`       // as GPU-…, by which other tools know it
}

// ErrNoDriver says that there is no driver.
var ErrNoDriver = errors.New("no NVIDIA driver is installed here, or the container that this runs in was not given it")

// CUDAText writes a version as CUDA's interface has it: 13.2 for 13020.
func CUDAText(version int) string { return fmt.Sprintf("%d.%d", version/1000, version%1000/10) }

// The driver's libraries.
const (
	cudaLibrary = "libcuda.so.1"
	nvmlLibrary = "libnvidia-ml.so.1"
)

// Look asks the driver. Where it is there but does not work, what is known of it
// accompanies the error; without one, the error is [ErrNoDriver].
func Look() (*Driver, error) { return look(cudaLibrary, nvmlLibrary) }

func look(cuda, nvml string) (*Driver, error) {
	library := open(cuda)
	if library == nil {
		return nil, ErrNoDriver
	}
	defer C.nvidia_close(library)
	var table C.cuda_driver
	if C.nvidia_cuda(library, &table) == 0 {
		return nil, fmt.Errorf("%s is no NVIDIA driver, or one from before CUDA 9", cuda)
	}
	d := &Driver{}
	var n C.int
	if C.cuda_version(&table, &n) == 0 {
		d.CUDA = int(n)
	}
	if m, err := openManagement(nvml); err == nil {
		d.Version = m.driver()
		m.close()
	}
	if err := check(&table, "cuInit", C.cuda_init(&table)); err != nil {
		return d, err
	}
	if err := check(&table, "cuDeviceGetCount", C.cuda_count(&table, &n)); err != nil {
		return d, err
	}
	for i := range int(n) {
		g, err := gpu(&table, i)
		if err != nil {
			return d, err
		}
		d.GPUs = append(d.GPUs, g)
	}
	return d, nil
}

// gpu asks for the device of an ordinal.
func gpu(table *C.cuda_driver, ordinal int) (GPU, error) {
	var name [256]C.char
	var memory C.size_t
	var uuid [16]C.uchar
	var major, minor C.int
	result := C.cuda_device(table, C.int(ordinal), &name[0], C.int(len(name)), &memory, &uuid[0], &major, &minor)
	if err := check(table, fmt.Sprintf("device %d", ordinal), result); err != nil {
		return GPU{}, err
	}
	return GPU{Name: C.GoString(&name[0]), Memory: int64(memory), Capability: fmt.Sprintf("%d.%d", major, minor), UUID: uuidText(uuid)}, nil
}

// check turns the result of a call into an error.
func check(table *C.cuda_driver, what string, result C.int) error {
	if result == 0 {
		return nil
	}
	return fmt.Errorf("the NVIDIA driver does not work: %s: %s (%d)", what, C.GoString(C.cuda_error(table, result)), int(result))
}

// uuidText writes a GPU's number as the driver's own tools do: GPU- and the five groups of a
// UUID (RFC 9562, section 4).
func uuidText(uuid [16]C.uchar) string {
	b := *(*[16]byte)(unsafe.Pointer(&uuid))
	return fmt.Sprintf("GPU-%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// open returns the handle of a library of the driver's, nil where it cannot be loaded.
func open(name string) unsafe.Pointer {
	c := C.CString(name)
	defer C.free(unsafe.Pointer(c))
	return C.nvidia_open(c, 1)
}

// Loads reports whether the system's loader finds the shared library of that name, such
// as libcudart.so.13.
func Loads(name string) bool {
	c := C.CString(name)
	defer C.free(unsafe.Pointer(c))
	library := C.nvidia_open(c, 0)
	if library == nil {
		return false
	}
	C.nvidia_close(library)
	return true
}
