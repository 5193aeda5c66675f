package engine

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Arena is one contiguous piece of zeroed float32 memory that sessions use where it
// lies. Whether the host may touch it is the arena's affair: everybody else views,
// reads and writes. It must be closed by hand.
type Arena interface {
	// Len is the number of values.
	Len() int
	// View returns a tensor over the memory from element offset on. It may be bound
	// only while the arena is open.
	View(offset int, dims ...int) (*Tensor, error)
	// Read copies len(dst) values from offset on to the host.
	Read(dst []float32, offset int) error
	// Write copies src to the values from offset on.
	Write(src []float32, offset int) error
	// Lend calls f with the address of n values from offset on, for what moves memory of
	// the arena's kind: another device's library, not the host. Loans may be nested.
	Lend(offset, n int, f func(address uintptr) error) error
	// Host returns the memory itself where the host may touch it, nil elsewhere and
	// once the arena is closed. It must not be used after Close.
	Host() []float32
	// Close gives the memory back. While bindings still hold views it only marks the
	// arena closed; the last such binding's Close frees it.
	Close() error
}

// HostArena is an arena of page-aligned memory outside of the Go heap: the collector
// neither scans nor moves it, and C code may keep pointers into it. Dropping it
// leaks the memory until the process ends, because slices of it cannot be tracked.
type HostArena struct{ *mapping }

// NewArena maps memory for n float32 values, all zero.
func NewArena(n int) (*HostArena, error) {
	m, err := newMapping(n)
	if err != nil {
		return nil, err
	}
	return &HostArena{m}, nil
}

// Host returns all of the memory.
func (a *HostArena) Host() []float32 {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return nil
	}
	return a.floats
}

// GuardedArena behaves like memory of a device: only runs of sessions, Read and
// Write may touch it; any other access ends the process with a fault. It proves that
// code would do with memory that the host does not see.
type GuardedArena struct{ *mapping }

// NewGuardedArena maps guarded memory for n float32 values, all zero.
func NewGuardedArena(n int) (*GuardedArena, error) {
	m, err := newMapping(n)
	if err != nil {
		return nil, err
	}
	m.guarded = true
	if err := m.protect(unix.PROT_NONE); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return &GuardedArena{m}, nil
}

// Host returns nil.
func (a *GuardedArena) Host() []float32 { return nil }

// mapping is the memory of an arena of the host's.
type mapping struct {
	holders
	bytes  []byte
	floats []float32

	guarded bool // readable only while inside > 0
	inside  int
}

// maxFloats is the largest number of values whose bytes can be counted.
const maxFloats = int(^uint(0)>>1) / 4

func newMapping(n int) (*mapping, error) {
	if n <= 0 || n > maxFloats {
		return nil, fmt.Errorf("arena of %d values: the size must be positive and addressable", n)
	}
	m, err := unix.Mmap(-1, 0, 4*n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("arena of %d values (%d MiB): %w", n, 4*n>>20, err)
	}
	a := &mapping{bytes: m, floats: unsafe.Slice((*float32)(unsafe.Pointer(&m[0])), n)}
	a.give = a.unmap
	return a, nil
}

// Len returns the number of values.
func (m *mapping) Len() int { return len(m.bytes) / 4 }

// View implements [Arena].
func (m *mapping) View(offset int, dims ...int) (*Tensor, error) {
	return view(m, dims, offset, func(n int) (storage, error) {
		if err := within(offset, n, len(m.bytes)/4); err != nil {
			return nil, err
		}
		return values[float32](m.floats[offset : offset+n : offset+n]), nil
	})
}

// Read implements [Arena].
func (m *mapping) Read(dst []float32, offset int) error {
	return m.access(offset, len(dst), func(part []float32) error { copy(dst, part); return nil })
}

// Write implements [Arena].
func (m *mapping) Write(src []float32, offset int) error {
	return m.access(offset, len(src), func(part []float32) error { copy(part, src); return nil })
}

// Lend implements [Arena].
func (m *mapping) Lend(offset, n int, f func(address uintptr) error) error {
	return m.access(offset, n, func(part []float32) error {
		return f(uintptr(unsafe.Pointer(unsafe.SliceData(part))))
	})
}

// access lets f touch n values from offset on.
func (m *mapping) access(offset, n int, f func(part []float32) error) (err error) {
	return access(m, offset, n, len(m.bytes)/4, func() error {
		if err := m.enter(); err != nil {
			return err
		}
		return errors.Join(f(m.floats[offset:offset+n]), m.leave())
	})
}

func (m *mapping) hostMayTouch() error {
	if err := m.open(); err != nil || !m.guarded {
		return err
	}
	return errNotHosts
}

// usableBy has nothing against any engine: host memory is copied where it must be.
func (m *mapping) usableBy(*Engine) error { return nil }

func (m *mapping) unmap() error {
	m.floats = nil
	if err := unix.Munmap(m.bytes); err != nil {
		return fmt.Errorf("arena: %w", err)
	}
	return nil
}

// enter makes guarded memory accessible until leave. Accesses may overlap.
func (m *mapping) enter() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.inside++; !m.guarded || m.inside > 1 {
		return nil
	}
	return m.protect(unix.PROT_READ | unix.PROT_WRITE)
}

func (m *mapping) leave() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.inside--; !m.guarded || m.inside > 0 {
		return nil
	}
	return m.protect(unix.PROT_NONE)
}

func (m *mapping) protect(how int) error {
	if err := unix.Mprotect(m.bytes, how); err != nil {
		return fmt.Errorf("arena: %w", err)
	}
	return nil
}
