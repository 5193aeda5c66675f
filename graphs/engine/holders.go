package engine

import (
	"errors"
	"fmt"
	"slices"
	"sync"
)

var (
	errArenaClosed = errors.New("the arena is closed")
	errNotHosts    = errors.New("the arena's memory is not the host's")
)

// memory is what a view of an arena knows of it. Bindings retain it while they hold
// views, and enter it for each run.
type memory interface {
	usableBy(e *Engine) error // tells why sessions of e cannot have views
	hostMayTouch() error      // tells why views give no memory away; also once it is closed
	retain() error            // keeps the memory until release
	release() error
	enter() error
	leave() error
}

// holders counts who needs a memory, which is given back when it has been closed and
// nobody does any more.
type holders struct {
	give func() error

	mu     sync.Mutex
	bound  int // open bindings that hold views, and accesses under way
	closed bool
}

// Close implements [Arena].
func (h *holders) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil
	}
	h.closed = true
	return h.giveIfFree()
}

// open is an error once the memory is closed.
func (h *holders) open() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return errArenaClosed
	}
	return nil
}

func (h *holders) retain() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return errArenaClosed
	}
	h.bound++
	return nil
}

func (h *holders) release() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.bound--
	if !h.closed {
		return nil
	}
	return h.giveIfFree()
}

func (h *holders) giveIfFree() error {
	if h.bound > 0 {
		return nil
	}
	return h.give()
}

// within tells why there are no n values from offset on among all.
func within(offset, n, all int) error {
	if offset < 0 || offset > all || n > all-offset {
		return fmt.Errorf("outside of the arena of %d values", all)
	}
	return nil
}

// view makes a tensor of what part gives for the number of its elements.
func view(m memory, dims []int, offset int, part func(n int) (storage, error)) (*Tensor, error) {
	n, err := size(dims)
	if err == nil {
		err = m.retain()
	}
	if err != nil {
		return nil, fmt.Errorf("view %v at %d: %w", dims, offset, err)
	}
	data, err := part(n)
	if err = errors.Join(err, m.release()); err != nil {
		return nil, fmt.Errorf("view %v at %d: %w", dims, offset, err)
	}
	return &Tensor{dims: slices.Clone(dims), data: data, arena: m}, nil
}

// access calls f, which touches n values from offset on among all, while the memory is
// there.
func access(m memory, offset, n, all int, f func() error) (err error) {
	if err := m.retain(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.release()) }()
	if err := within(offset, n, all); err != nil {
		return fmt.Errorf("%d values at %d: %w", n, offset, err)
	}
	return f()
}
