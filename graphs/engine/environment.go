package engine

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"unsafe"

	ort "github.com/yalue/onnxruntime_go"
)

// environment counts the engines that use ONNX Runtime's process-wide state.
// onnxruntime_go keeps one library handle and one OrtEnv in package variables,
// so this package cannot but have one counter beside them.
var environment struct {
	sync.Mutex
	users int
	file  string // library in use while users > 0
	api   *api   // of that library

	shared map[device]bool // devices with an arena that all sessions share
}

// acquireEnvironment loads the library, or joins the engines that already use
// the same file, and registers the arena that all sessions share, which the first
// engine decides on, see [Options.ExactArena]. It returns the library's C API, good
// until releaseEnvironment.
func acquireEnvironment(file string, exact bool) (*api, error) {
	environment.Lock()
	defer environment.Unlock()
	if environment.users > 0 {
		if !sameFile(environment.file, file) {
			return nil, fmt.Errorf("this process already runs the ONNX Runtime library %s: close its engines before opening %s", environment.file, file)
		}
		environment.users++
		return environment.api, nil
	}
	if err := errors.Join(inspect(file), asInstalled(file, pins(), runtime.GOOS+"/"+runtime.GOARCH)); err != nil {
		return nil, err
	}
	ort.SetSharedLibraryPath(file)
	// Statuses carry every error to Go; the log would print each a second time.
	if err := ort.InitializeEnvironment(ort.WithLogLevelFatal()); err != nil {
		return nil, &LibraryError{File: file, Reason: fmt.Sprintf("cannot be loaded (%v)", err)}
	}
	if err := setUpEnvironment(file, exact); err != nil {
		return nil, errors.Join(err, ort.DestroyEnvironment())
	}
	a, err := openAPI(file)
	if err != nil {
		return nil, errors.Join(err, ort.DestroyEnvironment())
	}
	environment.users, environment.file, environment.api = 1, file, a
	return a, nil
}

// sameAsRequested is the strategy by which an arena grows by what is asked for.
const sameAsRequested = 1

// setUpEnvironment checks the loaded version and registers the shared CPU arena.
func setUpEnvironment(file string, exact bool) error {
	if v := ort.GetVersion(); v != Version {
		return wrongVersion(file, v)
	}
	memory, err := ort.GetMemoryInfo()
	if err != nil {
		return fmt.Errorf("shared arena: %w", err)
	}
	// Zero and -1 are ONNX Runtime's defaults: no limit, chunks that double.
	strategy := -1
	if exact {
		strategy = sameAsRequested
	}
	cfg, err := ort.NewArenaCfg(0, strategy, -1, -1)
	if err != nil {
		return fmt.Errorf("shared arena: %w", err)
	}
	defer cfg.Destroy()
	if err := ort.CreateAndRegisterAllocator(memory, cfg); err != nil {
		return fmt.Errorf("shared arena: %w", err)
	}
	return nil
}

// shareDeviceArena registers the arena that all sessions on the device share, where
// that is asked for and not done yet.
func (e *Engine) shareDeviceArena() error {
	environment.Lock()
	defer environment.Unlock()
	if !e.HasOwnMemory() || !e.options.CUDA.SharedArena || environment.shared[e.device] {
		return nil
	}
	info, err := e.api.memoryInfo(e.device)
	if err != nil {
		return fmt.Errorf("shared arena on %s: %w", e.device, err)
	}
	defer e.api.releaseMemoryInfo(info)
	host, err := ort.GetMemoryInfo()
	if err != nil {
		return fmt.Errorf("shared arena on %s: %w", e.device, err)
	}
	cfg, err := ort.NewArenaCfg(int(e.options.CUDA.MemoryLimit), sameAsRequested, -1, -1)
	if err != nil {
		return fmt.Errorf("shared arena on %s: %w", e.device, err)
	}
	defer cfg.Destroy()
	err = ort.CreateAndRegisterAllocatorV2("CUDAExecutionProvider", sameType(host, unsafe.Pointer(info)), cfg, e.options.CUDA.settings(e.device.ordinal))
	if err != nil {
		return fmt.Errorf("shared arena on %s: %w", e.device, err)
	}
	if environment.shared == nil {
		environment.shared = map[device]bool{}
	}
	environment.shared[e.device] = true
	return nil
}

// sameType gives a handle the pointer type of another, which has no name here.
func sameType[P any](_ P, handle unsafe.Pointer) P { return *(*P)(unsafe.Pointer(&handle)) }

// releaseEnvironment is the end of one engine; the last one frees the shared
// arena and unloads the library.
func releaseEnvironment() error {
	environment.Lock()
	defer environment.Unlock()
	environment.users--
	if environment.users > 0 {
		return nil
	}
	closed := environment.api.close()
	environment.file, environment.api, environment.shared = "", nil, nil
	if err := errors.Join(closed, ort.DestroyEnvironment()); err != nil {
		return fmt.Errorf("unload ONNX Runtime: %w", err)
	}
	return nil
}

func sameFile(a, b string) bool {
	if a == b {
		return true
	}
	x, errA := os.Stat(a)
	y, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(x, y)
}
