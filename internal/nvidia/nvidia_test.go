package nvidia

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
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

// build compiles a shared library.
func build(t *testing.T, name, source string, flags ...string) string {
	t.Helper()
	compiler, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("no C compiler here: ", err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "fake.c")
	if err := os.WriteFile(file, []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, name)
	if text, err := exec.CommandContext(t.Context(), compiler, append(flags, "-shared", "-fPIC", "-o", out, file)...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return out
}

func TestDriver(t *testing.T) {
	cuda, nvml := build(t, "libcuda.so.1", fakeCUDA, "-DINIT=0"), build(t, "libnvidia-ml.so.1", fakeNVML)
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

// TestNoDriver: what is wrong with a driver is said, with what it did tell.
func TestNoDriver(t *testing.T) {
	if _, err := look("libcuda-none.so.1", "libnvidia-ml-none.so.1"); !errors.Is(err, ErrNoDriver) {
		t.Errorf("without a driver: %v", err)
	}
	d, err := look(build(t, "libcuda.so.1", fakeCUDA, "-DINIT=100"), "libnvidia-ml-none.so.1")
	if err == nil || !strings.Contains(err.Error(), "cuInit: CUDA_ERROR_NO_DEVICE (100)") || d == nil || d.CUDA != 12040 {
		t.Errorf("a driver without devices: %+v, %v", d, err)
	}
	other := build(t, "libother.so", "int other;")
	if _, err := look(other, other); err == nil || !strings.Contains(err.Error(), "no NVIDIA driver") {
		t.Errorf("another library: %v", err)
	}
	if Loads("libcudart-none.so") || !Loads(other) {
		t.Error("which libraries load is not told")
	}
}
