package engine

import (
	"errors"
	"fmt"
	"runtime"

	ort "github.com/yalue/onnxruntime_go"
)

// DeviceArena is an arena in the memory of an engine's device, allocated by ONNX
// Runtime. Runs of the engine's sessions use its views where they lie; Read and Write
// copy. It ends with its engine.
type DeviceArena struct {
	holders
	engine *Engine
	memory *deviceMemory
	base   uintptr
	n      int
}

// NewDeviceArena allocates n float32 values on the device, all zero. On the CPU that is
// memory of the runtime's, which behaves the same.
func (e *Engine) NewDeviceArena(n int) (*DeviceArena, error) {
	a, err := e.newDeviceArena(n)
	if err != nil {
		return nil, fmt.Errorf("arena of %d values (%d MiB) on %s: %w", n, 4*n>>20, e.device, err)
	}
	return a, nil
}

func (e *Engine) newDeviceArena(n int) (*DeviceArena, error) {
	if n <= 0 || n > maxFloats {
		return nil, errors.New("the size must be positive and addressable")
	}
	e.mu.RLock()
	defer e.mu.RUnlock()
	if e.closed {
		return nil, errEngineClosed
	}
	a, err := e.allocate(n)
	if err != nil {
		return nil, err
	}
	zeros := make([]float32, min(n, copyChunk))
	for at := 0; at < n; at += len(zeros) {
		if err := a.copyIn(zeros[:min(len(zeros), n-at)], at); err != nil {
			return nil, errors.Join(err, a.Close())
		}
	}
	return a, nil
}

// allocate makes an arena whose values are undefined.
func (e *Engine) allocate(n int) (_ *DeviceArena, err error) {
	e.arenasMu.Lock()
	defer e.arenasMu.Unlock()
	if e.memory == nil {
		err = e.outsideOfCaptures(func() (err error) {
			e.memory, err = e.newDeviceMemory()
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	a := &DeviceArena{engine: e, memory: e.memory, n: n}
	err = e.outsideOfCaptures(func() (err error) {
		a.base, err = e.api.alloc(e.memory.allocator, 4*n)
		return err
	})
	if err != nil {
		return nil, err
	}
	a.give = a.free
	e.arenas[a] = struct{}{}
	return a, nil
}

// free gives the memory back to ONNX Runtime.
func (a *DeviceArena) free() error {
	a.engine.arenasMu.Lock()
	defer a.engine.arenasMu.Unlock()
	delete(a.engine.arenas, a)
	return a.engine.outsideOfCaptures(func() error { return a.engine.api.free(a.memory.allocator, a.base) })
}

// closeArenas closes what arenas there still are, and lets go of the device's memory.
// Sessions, and with them all bindings, are closed before.
func (e *Engine) closeArenas() error {
	e.arenasMu.Lock()
	var open []*DeviceArena
	for a := range e.arenas {
		open = append(open, a)
	}
	e.arenasMu.Unlock()
	var errs []error
	for _, a := range open {
		errs = append(errs, a.Close())
	}
	if e.memory != nil {
		errs = append(errs, e.memory.close())
	}
	return errors.Join(errs...)
}

// Len returns the number of values.
func (a *DeviceArena) Len() int { return a.n }

// Host returns nil.
func (a *DeviceArena) Host() []float32 { return nil }

// View implements [Arena]. Sessions of the arena's engine can use the view.
func (a *DeviceArena) View(offset int, dims ...int) (*Tensor, error) {
	return a.ViewOf(Float32, offset, dims...)
}

// DeviceAlign is where tensors on a device should begin, in values: 256 bytes, as its own
// allocators have it. cuDNN's convolutions refuse weights that begin elsewhere than at 16.
const DeviceAlign = 64

// Aligned rounds an offset up to a multiple.
func Aligned(offset, align int) int { return (offset + align - 1) / align * align }

// ViewOf is View as a tensor of another element type, which takes as many of the arena's values
// as [DeviceValues] says, and begins at a multiple of its size.
func (a *DeviceArena) ViewOf(t DType, offset int, dims ...int) (*Tensor, error) {
	bytes := t.elementSize()
	if bytes == 0 {
		return nil, unsupported(t)
	}
	if 4*offset%bytes != 0 {
		return nil, fmt.Errorf("view %v at %d: %v begins at multiples of %d values", dims, offset, t, bytes/4)
	}
	return view(a, dims, offset, func(n int) (storage, error) {
		return residentView{a, t, offset, n}, within(offset, DeviceValues(t, n), a.n)
	})
}

// DeviceValues is the number of a [DeviceArena]'s values that n elements of a type take.
func DeviceValues(t DType, n int) int { return (t.elementSize()*n + 3) / 4 }

// Read implements [Arena].
func (a *DeviceArena) Read(dst []float32, offset int) error {
	return a.transfer(offset, len(dst), func() error {
		a.engine.count(0, int64(4*len(dst)))
		return chunks(dst, offset, a.copyOut)
	})
}

// Write implements [Arena].
func (a *DeviceArena) Write(src []float32, offset int) error {
	return a.transfer(offset, len(src), func() error {
		a.engine.count(int64(4*len(src)), 0)
		return chunks(src, offset, a.copyIn)
	})
}

// Lend implements [Arena]. Runs of sessions have ended when they return, so what they have
// written is there; what f begins must have ended when it returns.
func (a *DeviceArena) Lend(offset, n int, f func(address uintptr) error) error {
	if err := a.engine.lend(); err != nil {
		return err
	}
	defer a.engine.loans.Done()
	return access(a, offset, n, a.n, func() error { return f(a.base + uintptr(4*offset)) })
}

// lend begins a loan, which the engine's end waits for.
func (e *Engine) lend() error {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if e.closed {
		return errEngineClosed
	}
	e.loans.Add(1)
	return nil
}

// transfer calls f while engine and memory are there.
func (a *DeviceArena) transfer(offset, n int, f func() error) error {
	a.engine.mu.RLock()
	defer a.engine.mu.RUnlock()
	return access(a, offset, n, a.n, f)
}

// copyChunk is the number of values that are copied at a time: a copy from a device
// needs as much memory there once more.
const copyChunk = 1 << 22

// chunks calls f with parts of host memory that belong to the values from offset on.
func chunks(host []float32, offset int, f func(part []float32, offset int) error) error {
	for at := 0; at < len(host); at += copyChunk {
		part := host[at:min(at+copyChunk, len(host))]
		if err := f(part, offset+at); err != nil {
			return err
		}
	}
	return nil
}

func (a *DeviceArena) copyIn(part []float32, offset int) error {
	return a.withValues(part, offset, func(host, device ort.Value) error { return a.copy(host, device) })
}

func (a *DeviceArena) copyOut(part []float32, offset int) error {
	return a.withValues(part, offset, func(host, device ort.Value) error { return a.copy(device, host) })
}

func (a *DeviceArena) copy(from, to ort.Value) error {
	return a.engine.outsideOfCaptures(func() error { return a.memory.copy(from, to) })
}

// withValues calls f with values over host memory and over as much of the arena.
func (a *DeviceArena) withValues(part []float32, offset int, f func(host, device ort.Value) error) (err error) {
	var pins runtime.Pinner
	pins.Pin(&part[0])
	defer pins.Unpin()
	host, err := ort.NewTensor(ort.NewShape(int64(len(part))), part)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, host.Destroy()) }()
	device, err := a.value(Float32, offset, []int{len(part)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, device.Destroy()) }()
	return f(host, device)
}

// value makes ONNX Runtime's view of the memory from the value at offset on.
func (a *DeviceArena) value(t DType, offset int, dims []int) (ort.Value, error) {
	v, err := newResidentValue(a.engine.api, a.memory.info, t, a.base+uintptr(4*offset), dims)
	if err != nil {
		return nil, err
	}
	return v, nil
}

func (a *DeviceArena) usableBy(e *Engine) error {
	if e != a.engine {
		return errors.New("the tensor lies in a device arena of another engine")
	}
	return nil
}

func (a *DeviceArena) hostMayTouch() error {
	if err := a.open(); err != nil {
		return err
	}
	return errNotHosts
}

func (a *DeviceArena) enter() error { return nil }

func (a *DeviceArena) leave() error { return nil }

// residentView is the storage of a view of a device arena.
type residentView struct {
	arena     *DeviceArena
	t         DType
	offset, n int
}

func (v residentView) dtype() DType { return v.t }

func (v residentView) len() int { return v.n }

func (v residentView) bytes() int { return v.t.elementSize() * v.n }

func (v residentView) address() uintptr { return v.arena.base + uintptr(4*v.offset) }

func (residentView) pin(*runtime.Pinner) {}

func (v residentView) value(dims []int) (ort.Value, error) {
	return v.arena.value(v.t, v.offset, dims)
}

// load has nothing to do: a resident scalar is no copy.
func (residentView) load(ort.Value) {}

func (residentView) resident() bool { return true }
