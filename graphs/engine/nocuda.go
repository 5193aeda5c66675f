package engine

import (
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"t2sda/internal/nvidia"
)

// noCUDA explains why a CUDA device cannot be had: the library lacks the provider, or
// the provider a driver, a device or NVIDIA's libraries.
func (e *Engine) noCUDA(d device, cause error) error {
	provider := filepath.Join(filepath.Dir(e.file), "libonnxruntime_providers_cuda.so")
	if _, err := os.Stat(provider); err != nil {
		return &LibraryError{
			File: e.file, Reason: fmt.Sprintf("has no CUDA provider, which device %s needs", d),
			Fix: "run `" + installCommand + " --cuda` or choose device cpu",
		}
	}
	driver, err := nvidia.Look()
	s := cudaState{device: d, cause: cause, driver: driver, driverErr: err, needs: importedLibraries(provider), loads: nvidia.Loads}
	return s.error(e.file)
}

// importedLibraries lists the shared libraries that a file is linked with; none where it
// cannot be read, which loading it tells better.
func importedLibraries(file string) []string {
	f, err := elf.Open(file)
	if err != nil {
		return nil
	}
	defer f.Close() // only read
	names, _ := f.ImportedLibraries()
	return names
}

// cudaState is what is known where a device of CUDA's could not be used.
type cudaState struct {
	device    device
	cause     error          // ONNX Runtime's
	driver    *nvidia.Driver // nil: none
	driverErr error
	needs     []string               // the libraries that the provider is linked with
	loads     func(name string) bool // whether the loader finds a library
}

// minDriver is the first driver for each major version of CUDA (CUDA's release notes,
// "CUDA Toolkit and Minimum Required Driver Version").
var minDriver = map[int]int{11: 450, 12: 525, 13: 580}

// cudaRuntime is how CUDA's runtime library is called, followed by the major version.
const cudaRuntime = "libcudart.so."

// error is what the user is told.
func (s cudaState) error(library string) *LibraryError {
	reason, fix := s.explain()
	return &LibraryError{File: library, Reason: fmt.Sprintf("cannot use device %s (%s)", s.device, reason), Fix: fix + ", or choose device cpu"}
}

// explain says what is wrong and what mends it, the first cause first.
func (s cudaState) explain() (reason, fix string) {
	major := s.major()
	update := fmt.Sprintf("install an NVIDIA driver of version %d or later (in a container: start it with the GPUs, as by --gpus all)", minDriver[major])
	missing := s.missing()
	switch {
	case errors.Is(s.driverErr, nvidia.ErrNoDriver):
		if len(missing) > 0 {
			update += fmt.Sprintf(", CUDA %d and cuDNN 9", major)
		}
		return s.driverErr.Error(), update
	case s.driver != nil && s.driver.CUDA > 0 && s.driver.CUDA/1000 < major:
		return fmt.Sprintf("the NVIDIA driver %sis too old: it runs CUDA up to %s, the library needs CUDA %d", withSpace(s.driver.Version), nvidia.CUDAText(s.driver.CUDA), major), update
	case s.driverErr != nil:
		return s.driverErr.Error(), "restart the machine or " + update
	case len(missing) > 0 && s.otherMajor(major) > 0:
		return fmt.Sprintf("the library is built for CUDA %d, of which %s not found; CUDA %d is installed", major, isAre(missing), s.otherMajor(major)),
			fmt.Sprintf("install CUDA %d and cuDNN 9 beside it and name their folders in LD_LIBRARY_PATH", major)
	case len(missing) > 0:
		return isAre(missing) + " not found", fmt.Sprintf("install CUDA %d and cuDNN 9 and name their folders in LD_LIBRARY_PATH", major)
	case len(s.driver.GPUs) == 0:
		return "the NVIDIA driver shows no GPU", "unset CUDA_VISIBLE_DEVICES, or give the container a GPU"
	case s.device.ordinal >= len(s.driver.GPUs):
		return "there is no such device: " + s.devices(), "choose one of them"
	}
	if OutOfMemory(s.cause) {
		return "its memory is full: " + firstCause(s.cause), "free memory that other programs hold there"
	}
	return firstCause(s.cause), "see what nvidia-smi says of the device"
}

// major is the version of CUDA that the provider is built for: by its runtime library, or
// else that of the pinned release.
func (s cudaState) major() int {
	for _, name := range s.needs {
		if v, ok := strings.CutPrefix(name, cudaRuntime); ok {
			if n, err := strconv.Atoi(v); err == nil && minDriver[n] > 0 {
				return n
			}
		}
	}
	return 13
}

// missing lists NVIDIA's libraries that the loader does not find.
func (s cudaState) missing() []string {
	var names []string
	for _, name := range s.needs {
		nvidias := strings.HasPrefix(name, "libcu") && !strings.HasPrefix(name, "libcuda.") || strings.HasPrefix(name, "libnvrtc.")
		if nvidias && !s.loads(name) {
			names = append(names, name)
		}
	}
	return names
}

// otherMajor is another version of CUDA whose runtime library is there, 0 for none.
func (s cudaState) otherMajor(major int) int {
	for _, n := range []int{13, 12, 11} {
		if n != major && s.loads(cudaRuntime+strconv.Itoa(n)) {
			return n
		}
	}
	return 0
}

// devices lists what there is.
func (s cudaState) devices() string {
	names := make([]string, len(s.driver.GPUs))
	for i, g := range s.driver.GPUs {
		names[i] = fmt.Sprintf("cuda:%d is %s", i, g.Name)
	}
	return strings.Join(names, ", ")
}

// firstCause is ONNX Runtime's message without the place in its sources.
func firstCause(cause error) string {
	why, _, _ := strings.Cut(cause.Error(), "\n")
	if _, after, ok := strings.Cut(why, " with error: "); ok {
		why = after
	}
	return why
}

func withSpace(s string) string {
	if s == "" {
		return ""
	}
	return s + " "
}

// isAre lists names as the beginning of a sentence.
func isAre(names []string) string {
	if len(names) == 1 {
		return names[0] + " is"
	}
	return strings.Join(names, ", ") + " are"
}
