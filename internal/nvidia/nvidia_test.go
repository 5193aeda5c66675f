package nvidia

import (
	"errors"
	"strings"
	"testing"

	"t2sda/internal/ctest"
)

// fakeCUDA is a driver with GPUs, and results, of one's choice.
const fakeCUDA = `
#include <stddef.h>
#include <string.h>
int cuInit(unsigned f) { return INIT; }
int cuDriverGetVersion(int *v) { *v = 12040; return 0; }
int cuDeviceGetCount(int *n) { *n = 2; return 0; }
int cuDeviceGet(int *d, int i) { *d = i; return i < 2 ? 0 : 101; }
int cuDeviceGetName(char *out, int n, int d) { strncpy(out, d ? "Second" : "First", n); return 0; }
int cuDeviceTotalMem_v2(size_t *n, int d) { *n = (size_t)80 << 30; return 0; }
int cuDeviceGetUuid(unsigned char *u, int d) { for (int i = 0; i < 16; i++) u[i] = 16 * d + i; return 0; }
#ifdef PARTS
int cuDeviceGetUuid_v2(unsigned char *u, int d) { for (int i = 0; i < 16; i++) u[i] = 16 * d + i + (d ? 128 : 0); return 0; }
#endif
int cuDeviceGetAttribute(int *out, int which, int d) { *out = which == 75 ? 9 : 0; return 0; }
int cuGetErrorName(int r, const char **out) { *out = r == 100 ? "CUDA_ERROR_NO_DEVICE" : "CUDA_ERROR_UNKNOWN"; return 0; }
`

const fakeNVML = `
#include <string.h>
typedef struct { unsigned long long total, free, used; } memory;
static int there;
int nvmlInit_v2(void) { return 0; }
int nvmlShutdown(void) { return 0; }
int nvmlSystemGetDriverVersion(char *out, unsigned n) { strncpy(out, "550.54.15", n); return 0; }
int nvmlDeviceGetHandleByUUID(const char *u, void **d) { *d = &there; return strcmp(u, "GPU-10111213-1415-1617-1819-1a1b1c1d1e1f"); }
int nvmlDeviceGetMemoryInfo(void *d, memory *m) { m->used = 123; return d != &there; }
`

func TestDriver(t *testing.T) {
	cuda, nvml := ctest.Library(t, "libcuda.so.1", fakeCUDA, "-DINIT=0"), ctest.Library(t, "libnvidia-ml.so.1", fakeNVML)
	d, err := look(cuda, nvml)
	if err != nil {
		t.Fatal(err)
	}
	if d.Version != "550.54.15" || CUDAText(d.CUDA) != "12.4" || len(d.GPUs) != 2 {
		t.Fatalf("the driver is %+v", d)
	}
	want := GPU{Name: "Second", Memory: 80 << 30, Capability: "9.0", UUID: "GPU-10111213-1415-1617-1819-1a1b1c1d1e1f"}
	if d.GPUs[1] != want {
		t.Errorf("the second GPU is %+v, not %+v", d.GPUs[1], want)
	}
	m, err := openMeter(nvml, want)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if used, err := m.Used(); used != 123 || err != nil {
		t.Errorf("%d bytes are used, %v", used, err)
	}
	if _, err := openMeter(nvml, d.GPUs[0]); err == nil || !strings.Contains(err.Error(), d.GPUs[0].UUID) {
		t.Errorf("an unknown GPU's meter: %v", err)
	}
}

// TestParts: parts of a GPU are told apart, and their meter is the GPU's.
func TestParts(t *testing.T) {
	d, err := look(ctest.Library(t, "libcuda.so.1", fakeCUDA, "-DINIT=0", "-DPARTS"), "libnvidia-ml-none.so.1")
	if err != nil {
		t.Fatal(err)
	}
	if g := d.GPUs[0]; g.Instance != "" || g.ID() != g.UUID {
		t.Errorf("a whole GPU is %+v", g)
	}
	if g := d.GPUs[1]; g.ID() != "MIG-90919293-9495-9697-9899-9a9b9c9d9e9f" || g.UUID != "GPU-10111213-1415-1617-1819-1a1b1c1d1e1f" {
		t.Errorf("a part of a GPU is %+v", g)
	}
}

// TestNoDriver: what is wrong with a driver is said, with what it did tell.
func TestNoDriver(t *testing.T) {
	if _, err := look("libcuda-none.so.1", "libnvidia-ml-none.so.1"); !errors.Is(err, ErrNoDriver) {
		t.Errorf("without a driver: %v", err)
	}
	d, err := look(ctest.Library(t, "libcuda.so.1", fakeCUDA, "-DINIT=100"), "libnvidia-ml-none.so.1")
	if err == nil || !strings.Contains(err.Error(), "cuInit: CUDA_ERROR_NO_DEVICE (100)") || d == nil || d.CUDA != 12040 {
		t.Errorf("a driver without devices: %+v, %v", d, err)
	}
	other := ctest.Library(t, "libother.so", "int other;")
	if _, err := look(other, other); err == nil || !strings.Contains(err.Error(), "no NVIDIA driver") {
		t.Errorf("another library: %v", err)
	}
	if Loads("libcudart-none.so") || !Loads(other) {
		t.Error("which libraries load is not told")
	}
}

// fakeStreams is what streams take of a driver. Work on a stream is done when it is
// asked for the second time, and has failed the third time.
const fakeStreams = fakeCUDA + `
static int asked, held, current;
int cuDevicePrimaryCtxRetain(void **c, int d) { held++; *c = &held; return 0; }
int cuDevicePrimaryCtxRelease_v2(int d) { held--; return 0; }
int cuCtxSetCurrent(void *c) { current = c == &held; return 0; }
int cuStreamCreate(void **s, unsigned flags) { *s = &asked; return current && flags == 1 ? 0 : 1; }
int cuStreamQuery(void *s) { return asked++ < 1 ? 600 : asked > 2 ? 700 : 0; }
int cuStreamDestroy_v2(void *s) { return s == &asked && held == 1 ? 0 : 1; }
`

func TestStream(t *testing.T) {
	library := ctest.Library(t, "libcuda.so.1", fakeStreams, "-DINIT=0")
	s, err := newStream(library, 1)
	if err != nil {
		t.Fatal(err)
	}
	if s.Handle() == nil {
		t.Error("it has no handle")
	}
	for i, want := range []bool{false, true} {
		if done, err := s.Done(); done != want || err != nil {
			t.Errorf("asked %d times: %t, %v", i+1, done, err)
		}
	}
	if _, err := s.Done(); err == nil || !strings.Contains(err.Error(), "work on a stream: CUDA_ERROR_UNKNOWN (700)") {
		t.Errorf("work that fails: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestNoStream(t *testing.T) {
	if _, err := newStream("libcuda-none.so.1", 0); !errors.Is(err, ErrNoDriver) {
		t.Errorf("without a driver: %v", err)
	}
	for want, library := range map[string]string{
		"from before CUDA 11":                            ctest.Library(t, "libcuda.so.1", fakeCUDA, "-DINIT=0"),
		"a stream on device 7: CUDA_ERROR_UNKNOWN (101)": ctest.Library(t, "libcuda.so.1", fakeStreams, "-DINIT=0"),
	} {
		if _, err := newStream(library, 7); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
