package engine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	ort "github.com/yalue/onnxruntime_go"
)

// Options chooses the library, the device and what sessions share.
type Options struct {
	Library        string // explicit library file; empty lets [Discover] find one
	Device         string // cpu | cuda | cuda:<n> | auto (CUDA if it works, else cpu); empty is cpu
	Ordinal        int    // of CUDA's device that cuda and auto mean
	IntraOpThreads int    // threads inside of one operator; 0: one per core
	// AllowSpinning lets a session's threads spin while they wait for work. On two
	// cores it gained nothing by itself, and beside one busy goroutine runs took up
	// to a quarter longer (BenchmarkSpinning).
	AllowSpinning bool
	CUDA          CUDAOptions
	// ExactArena makes the memory that all sessions share on the CPU grow by what is
	// asked for, not by pieces that double. It is for runs of the same shapes, where it
	// takes less; where sizes vary, what has grown for one hardly serves the next. The
	// process's first engine decides.
	ExactArena bool
	// ProfilePrefix, if not empty, makes every session write a profile to
	// <prefix>-<session>-<number>_<time>.json when it is closed, in a folder that
	// Open makes. See [Session.ProfileFile].
	ProfilePrefix     string
	OptimizationLevel OptimizationLevel // empty is OptimizeAll
	Kernels           Kernels           // empty is KernelsFast
	// Vet is asked before a model file is handed to ONNX Runtime, where a malformed
	// one may abort the process, with the device in use; its error refuses the file. Nil: all are taken.
	Vet func(path string, model []byte, device string) error
	// Placed is told of every new session which providers run its nodes. Nil: nobody
	// asks.
	Placed func(Placement)
	// Strict refuses sessions of which the CPU would have to run nodes although the
	// device is another, see [Placement.Fallback].
	Strict bool
}

// OptimizationLevel says which graph optimisations ONNX Runtime applies.
type OptimizationLevel string

// ONNX Runtime's levels; each includes the one before.
const (
	OptimizeNone     OptimizationLevel = "none"
	OptimizeBasic    OptimizationLevel = "basic"    // constant folding, redundant nodes
	OptimizeExtended OptimizationLevel = "extended" // fusions
	OptimizeAll      OptimizationLevel = "all"      // memory layouts
)

func (l OptimizationLevel) level() (ort.GraphOptimizationLevel, error) {
	switch l {
	case OptimizeNone:
		return ort.GraphOptimizationLevelDisableAll, nil
	case OptimizeBasic:
		return ort.GraphOptimizationLevelEnableBasic, nil
	case OptimizeExtended:
		return ort.GraphOptimizationLevelEnableExtended, nil
	case OptimizeAll, "":
		return ort.GraphOptimizationLevelEnableAll, nil
	}
	return 0, fmt.Errorf("optimisation level %q: none, basic, extended or all", l)
}

var errEngineClosed = errors.New("the engine is closed")

// Engine is a loaded ONNX Runtime library with a device. Its methods may be
// called from several goroutines.
type Engine struct {
	options Options
	file    string
	api     *api
	device  device
	native  apiDomain // of our own operators; nil where there are none

	profiles              atomic.Int64 // numbers the profiles of sessions
	crossedIn, crossedOut atomic.Int64 // bytes to and from the device

	mu     sync.RWMutex // held for reading while the library is in use
	closed bool
	loans  sync.WaitGroup // of memory, which may last, and be nested: they hold no lock

	sessionsMu sync.Mutex
	sessions   map[*Session]struct{}

	arenasMu sync.Mutex
	arenas   map[*DeviceArena]struct{}
	memory   *deviceMemory // nil before the first arena

	capturing sync.RWMutex // held while a session is captured, and for reading during other calls to the device

	kernelsMu sync.Mutex
	kernels   map[[2]string]string // why the device does not run an operator of a kind; empty: it does
}

// Info describes an engine.
type Info struct {
	Version   string   // of the loaded library
	File      string   // of the loaded library
	Providers []string // execution providers that the library can set up here, e.g. cpu, cuda
	Device    string   // the device in use: cpu or cuda:<n>
}

// GPU returns the ordinal of the device in use, if it is one of CUDA's.
func (i Info) GPU() (ordinal int, ok bool) {
	d, err := parseDevice(i.Device)
	return d.ordinal, err == nil && d.kind == "cuda"
}

// Open loads ONNX Runtime and chooses the device. Errors about the library are a
// *[LibraryError]. A process may hold several engines at a time if they use the
// same library file.
func Open(o Options) (*Engine, error) {
	request, err := parseDevice(o.Device)
	if err != nil {
		return nil, err
	}
	if o.Device == "cuda" || o.Device == "auto" {
		request.ordinal = o.Ordinal
	}
	if err := o.validate(); err != nil {
		return nil, err
	}
	if o.ProfilePrefix != "" {
		if err := os.MkdirAll(filepath.Dir(o.ProfilePrefix), 0o755); err != nil {
			return nil, fmt.Errorf("profile %s: %w", o.ProfilePrefix, err)
		}
	}
	file, err := discover(o.Library, request.wantsCUDA(), systemLibraries())
	if err != nil {
		return nil, err
	}
	api, err := acquireEnvironment(file, o.ExactArena)
	if err != nil {
		return nil, err
	}
	e := &Engine{options: o, file: file, api: api, sessions: map[*Session]struct{}{}, arenas: map[*DeviceArena]struct{}{}, kernels: map[[2]string]string{}}
	if e.device, err = e.choose(request); err == nil {
		err = e.shareDeviceArena()
	}
	if err == nil && e.Native() {
		e.native, err = e.api.domain(nativeDomain)
	}
	if err != nil {
		return nil, errors.Join(err, releaseEnvironment())
	}
	return e, nil
}

func (o Options) validate() error {
	if o.IntraOpThreads < 0 {
		return fmt.Errorf("intra-op threads: %d is negative", o.IntraOpThreads)
	}
	if _, err := o.OptimizationLevel.level(); err != nil {
		return err
	}
	if !slices.Contains([]Kernels{"", KernelsFast, KernelsExact, KernelsStock}, o.Kernels) {
		return fmt.Errorf("kernels %q: one of %s, %s, %s", o.Kernels, KernelsFast, KernelsExact, KernelsStock)
	}
	return o.CUDA.validate()
}

// Info returns what was loaded and chosen. It tries the providers anew at each
// call; a closed engine has none.
func (e *Engine) Info() Info {
	e.mu.RLock()
	defer e.mu.RUnlock()
	info := Info{Version: Version, File: e.file, Device: e.device.String()}
	if !e.closed {
		info.Providers = e.providers()
	}
	return info
}

// HasOwnMemory reports whether the device has memory that the host does not see.
func (e *Engine) HasOwnMemory() bool { return e.device.kind != "cpu" }

// Crossed returns how many bytes runs of the engine's sessions have moved to the device
// and from it so far: their inputs and outputs in host memory, with what device arenas
// have read and written. On the CPU, where nothing moves, it is what would.
func (e *Engine) Crossed() (in, out int64) { return e.crossedIn.Load(), e.crossedOut.Load() }

func (e *Engine) count(in, out int64) {
	e.crossedIn.Add(in)
	e.crossedOut.Add(out)
}

// Close closes the engine's sessions and device arenas, waiting for runs and loans under way,
// and unloads the library when no other engine of the process uses it.
func (e *Engine) Close() error {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return nil
	}
	e.closed = true // no loan begins any more
	e.mu.Unlock()
	e.loans.Wait()
	e.mu.Lock()
	defer e.mu.Unlock()
	var errs []error
	for _, s := range e.openSessions() {
		errs = append(errs, s.Close())
	}
	errs = append(errs, e.closeArenas())
	if e.native != nil {
		e.api.releaseDomain(e.native)
	}
	return errors.Join(append(errs, releaseEnvironment())...)
}

func (e *Engine) openSessions() []*Session {
	e.sessionsMu.Lock()
	defer e.sessionsMu.Unlock()
	all := make([]*Session, 0, len(e.sessions))
	for s := range e.sessions {
		all = append(all, s)
	}
	return all
}
