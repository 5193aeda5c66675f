package nvidia

/*
#cgo linux LDFLAGS: -ldl
#include <stdlib.h>
#include "cuda.h"
*/
import "C"

import (
	"cmp"
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
	// Instance is that of the part of the GPU that this device is (MIG), as MIG-…; empty: it
	// is all of it.
	Instance string `json:"instance,omitempty"`
}

// ID tells a device from all others.
func (g GPU) ID() string { return cmp.Or(g.Instance, g.UUID) }

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
	if C.cuda_find(library, &table) == 0 {
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
	var uuid, instance [16]C.uchar
	var major, minor C.int
	result := C.cuda_device(table, C.int(ordinal), &name[0], C.int(len(name)), &memory, &uuid[0], &instance[0], &major, &minor)
	if err := check(table, fmt.Sprintf("device %d", ordinal), result); err != nil {
		return GPU{}, err
	}
	g := GPU{Name: C.GoString(&name[0]), Memory: int64(memory), Capability: fmt.Sprintf("%d.%d", major, minor), UUID: uuidText("GPU-", uuid)}
	if instance != uuid {
		g.Instance = uuidText("MIG-", instance)
	}
	return g, nil
}

// check turns the result of a call into an error.
func check(table *C.cuda_driver, what string, result C.int) error {
	if result == 0 {
		return nil
	}
	return fmt.Errorf("the NVIDIA driver does not work: %s: %s (%d)", what, C.GoString(C.cuda_error(table, result)), int(result))
}

// uuidText writes a number as the driver's own tools do: what it is of and the five groups of
// a UUID (RFC 9562, section 4).
func uuidText(of string, uuid [16]C.uchar) string {
	b := *(*[16]byte)(unsafe.Pointer(&uuid))
	return fmt.Sprintf("%s%x-%x-%x-%x-%x", of, b[:4], b[4:6], b[6:8], b[8:10], b[10:])
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
