package engine

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"t2sda/internal/nvidia"
)

// TestNoCUDA: each reason for which CUDA cannot be used has a sentence that says what to
// do.
func TestNoCUDA(t *testing.T) {
	needs := []string{"libcublas.so.13", "libcudnn.so.9", "libcudart.so.13", "libcuda.so.1", "libstdc++.so.6"}
	two := &nvidia.Driver{Version: "580.1", CUDA: 13000, GPUs: []nvidia.GPU{{Name: "H100"}, {Name: "H200"}}}
	for name, c := range map[string]struct {
		driver    *nvidia.Driver
		driverErr error
		found     []string
		ordinal   int
		cause     string
		want      []string
	}{
		"no driver": {driverErr: nvidia.ErrNoDriver, want: []string{"no NVIDIA driver", "580 or later", "--gpus all), CUDA 13 and cuDNN 9, or"}},
		"driver too old": {
			driver: &nvidia.Driver{Version: "550.54.15", CUDA: 12040}, found: needs,
			want: []string{"driver 550.54.15 is too old", "up to 12.4", "needs CUDA 13", "580 or later"},
		},
		"driver too old, and it says so": {
			driver: &nvidia.Driver{CUDA: 11080}, driverErr: errors.New("cuInit: no"), found: needs,
			want: []string{"driver is too old", "up to 11.8"},
		},
		"broken driver":      {driver: &nvidia.Driver{CUDA: 13000}, driverErr: errors.New("cuInit: CUDA_ERROR_SYSTEM_DRIVER_MISMATCH (803)"), found: needs, want: []string{"MISMATCH (803)", "restart"}},
		"another CUDA major": {driver: two, found: []string{"libcudart.so.12", "libcudnn.so.9"}, want: []string{"built for CUDA 13, of which libcublas.so.13, libcudart.so.13 are not found; CUDA 12 is installed", "install CUDA 13"}},
		"no cuDNN":           {driver: two, found: []string{"libcublas.so.13", "libcudart.so.13"}, want: []string{"(libcudnn.so.9 is not found)", "LD_LIBRARY_PATH"}},
		"no GPU":             {driver: &nvidia.Driver{CUDA: 13000}, found: needs, want: []string{"shows no GPU", "CUDA_VISIBLE_DEVICES"}},
		"out of range":       {driver: two, found: needs, ordinal: 2, want: []string{"device cuda:2", "no such device: cuda:0 is H100, cuda:1 is H200", "choose one of them"}},
		"something else":     {driver: two, found: needs, cause: "CUDA failure 999: unknown error ; GPU=0\nsources", want: []string{"(CUDA failure 999: unknown error ; GPU=0)", "nvidia-smi"}},
		"memory is full":     {driver: two, found: needs, cause: "CUDA failure 2: out of memory", want: []string{"(its memory is full: CUDA failure 2", "free memory"}},
	} {
		d := device{kind: "cuda", ordinal: c.ordinal}
		s := cudaState{
			device: d, cause: errors.New(c.cause), driver: c.driver, driverErr: c.driverErr, needs: needs,
			loads: func(name string) bool { return slices.Contains(c.found, name) },
		}
		got := s.error("lib.so").Error()
		for _, want := range append(c.want, "or choose device cpu") {
			if !strings.Contains(got, want) || strings.Contains(got, "\n") {
				t.Errorf("%s: %q lacks %q, or is not one line", name, got, want)
			}
		}
	}
	if got := (cudaState{needs: []string{"libcudart.so.12"}}).major(); got != 12 {
		t.Errorf("a provider of CUDA 12 is of CUDA %d", got)
	}
}
