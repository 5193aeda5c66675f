package nvidia

/*
#include <dlfcn.h>
#include <stdlib.h>

typedef struct { unsigned long long total, free, used; } nvml_memory;

// NVIDIA's management library (nvml.h), of which results are 0 on success.
typedef struct {
	int (*init)(void);
	int (*shutdown)(void);
	int (*driver)(char *out, unsigned n);
	int (*by_uuid)(const char *uuid, void **device);
	int (*memory)(void *device, nvml_memory *out);
} nvml;

static int nvml_find(void *l, nvml *t) {
	t->init = dlsym(l, "nvmlInit_v2");
	t->shutdown = dlsym(l, "nvmlShutdown");
	t->driver = dlsym(l, "nvmlSystemGetDriverVersion");
	t->by_uuid = dlsym(l, "nvmlDeviceGetHandleByUUID");
	t->memory = dlsym(l, "nvmlDeviceGetMemoryInfo");
	return t->init && t->shutdown && t->driver && t->by_uuid && t->memory;
}
static int nvml_init(nvml *t) { return t->init(); }
static void nvml_shutdown(nvml *t) { t->shutdown(); }
static int nvml_driver(nvml *t, char *out, unsigned n) { return t->driver(out, n); }
static int nvml_by_uuid(nvml *t, const char *uuid, void **out) { return t->by_uuid(uuid, out); }
static int nvml_used(nvml *t, void *device, nvml_memory *out) { return t->memory(device, out); }
static void nvml_close(void *library) { dlclose(library); }
*/
import "C"

import (
	"errors"
	"fmt"
	"unsafe"
)

// management is NVIDIA's management library, open.
type management struct {
	library unsafe.Pointer
	table   C.nvml
}

func openManagement(name string) (*management, error) {
	m := &management{library: open(name)}
	if m.library == nil {
		return nil, fmt.Errorf("%s is not found", name)
	}
	if C.nvml_find(m.library, &m.table) == 0 || C.nvml_init(&m.table) != 0 {
		C.nvml_close(m.library)
		return nil, fmt.Errorf("%s does not work", name)
	}
	return m, nil
}

func (m *management) close() {
	C.nvml_shutdown(&m.table)
	C.nvml_close(m.library)
}

// driver returns the driver's version, empty where it does not say.
func (m *management) driver() string {
	var text [80]C.char
	if C.nvml_driver(&m.table, &text[0], C.uint(len(text))) != 0 {
		return ""
	}
	return C.GoString(&text[0])
}

// Meter tells how much of a GPU's memory is in use, by all programs together.
type Meter struct {
	m      *management
	device unsafe.Pointer
}

// OpenMeter returns the meter of a GPU, which its caller closes.
func OpenMeter(g GPU) (*Meter, error) { return openMeter(nvmlLibrary, g) }

func openMeter(library string, g GPU) (*Meter, error) {
	m, err := openManagement(library)
	if err != nil {
		return nil, err
	}
	uuid := C.CString(g.UUID)
	defer C.free(unsafe.Pointer(uuid))
	meter := &Meter{m: m}
	if C.nvml_by_uuid(&m.table, uuid, &meter.device) != 0 {
		m.close()
		return nil, fmt.Errorf("%s knows no GPU %s", library, g.UUID)
	}
	return meter, nil
}

// Used returns the bytes in use.
func (m *Meter) Used() (int64, error) {
	var memory C.nvml_memory
	if C.nvml_used(&m.m.table, m.device, &memory) != 0 {
		return 0, errors.New("the GPU does not tell its memory")
	}
	return int64(memory.used), nil
}

// Close lets go of the meter.
func (m *Meter) Close() { m.m.close() }
