package engine

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

var errArenaClosed = errors.New("the arena is closed")

// Arena is one contiguous, page-aligned piece of zeroed float32 memory outside of
// the Go heap: the collector neither scans nor moves it, and C code may keep
// pointers into it. It must be closed by hand: dropping it leaks the memory until
// the process ends, because slices of it cannot be tracked.
type Arena struct {
	mapping []byte
	floats  []float32

	mu     sync.Mutex
	bound  int // open bindings that hold views
	closed bool
}

// NewArena maps memory for n float32 values, all zero.
func NewArena(n int) (*Arena, error) {
	const maxFloats = int(^uint(0)>>1) / 4
	if n <= 0 || n > maxFloats {
		return nil, fmt.Errorf("arena of %d values: the size must be positive and addressable", n)
	}
	m, err := unix.Mmap(-1, 0, 4*n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("arena of %d values (%d MiB): %w", n, 4*n>>20, err)
	}
	return &Arena{mapping: m, floats: unsafe.Slice((*float32)(unsafe.Pointer(&m[0])), n)}, nil
}

// Floats returns all of the arena's memory, nil once it is closed. The slice must
// not be used after Close.
func (a *Arena) Floats() []float32 {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return nil
	}
	return a.floats
}

// View returns a tensor over the arena's memory from element offset on. The view
// may be bound only while the arena is open.
func (a *Arena) View(offset int, dims ...int) (*Tensor, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return nil, fmt.Errorf("view %v at %d: %w", dims, offset, errArenaClosed)
	}
	n, err := size(dims)
	if err != nil {
		return nil, fmt.Errorf("view %v at %d: %w", dims, offset, err)
	}
	if offset < 0 || offset > len(a.floats) || n > len(a.floats)-offset {
		return nil, fmt.Errorf("view %v at %d leaves the arena of %d values", dims, offset, len(a.floats))
	}
	data := a.floats[offset : offset+n : offset+n]
	return &Tensor{dims: slices.Clone(dims), data: values[float32](data), arena: a}, nil
}

// Close gives the memory back. While bindings still hold views it only marks the
// arena closed; the last such binding's Close unmaps it.
func (a *Arena) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return nil
	}
	a.closed = true
	return a.unmapIfFree()
}

func (a *Arena) isClosed() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.closed
}

// retain keeps the memory mapped until release.
func (a *Arena) retain() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return errArenaClosed
	}
	a.bound++
	return nil
}

func (a *Arena) release() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.bound--
	if !a.closed {
		return nil
	}
	return a.unmapIfFree()
}

func (a *Arena) unmapIfFree() error {
	if a.bound > 0 {
		return nil
	}
	a.floats = nil
	if err := unix.Munmap(a.mapping); err != nil {
		return fmt.Errorf("arena: %w", err)
	}
	return nil
}
