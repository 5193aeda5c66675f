package nccl

/*
#include "nccl.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"time"
	"unsafe"

	"t2sda/internal/nvidia"
	"t2sda/internal/osthread"
	"t2sda/internal/ranks"
)

// How long others are waited for. All ranks come to a swap at about the same time, after
// they have agreed that nobody has failed, so that a wait is for the transfer alone; until the
// first has ended, also for the connections, of which each pair of ranks needs one.
const (
	patience = time.Minute
	atFirst  = 5 * time.Minute
	grace    = 15 * time.Second // for NCCL to give up what it is doing
)

// Stream is a queue of work of a device; [nvidia.Stream] is one. Its methods are called by
// one thread, on which it was made.
type Stream interface {
	Handle() unsafe.Pointer // a cudaStream_t
	Done() (bool, error)    // whether all that it was given has been done
	Close() error
}

// OnGPU makes streams on the GPU of an ordinal.
func OnGPU(ordinal int) func() (Stream, error) {
	return func() (Stream, error) {
		s, err := nvidia.NewStream(ordinal)
		if err != nil {
			return nil, err // not a typed nil
		}
		return s, nil
	}
}

// Comm is all ranks, each with one GPU. It implements [ranks.Wire]. Its methods are for one
// goroutine.
type Comm struct {
	library  *Library
	thread   *osthread.Thread // CUDA's context is a thread's
	stream   Stream
	handle   unsafe.Pointer
	patience time.Duration
	broken   error // after it nothing works
	held     bool  // the thread is, by a call that does not end
}

// Join makes this process a rank of those of an id, for whose other ranks it waits. Device
// makes the stream that its GPU works by.
func (l *Library) Join(device func() (Stream, error), id ID, rank, size int) (*Comm, error) {
	c := &Comm{library: l, thread: osthread.New(), patience: atFirst}
	err := c.within(func() (err error) {
		if c.stream, err = device(); err != nil {
			return err
		}
		err = l.check("ncclCommInitRank", C.t2s_nccl_init(&l.table, &c.handle, C.int(size), (*C.t2s_nccl_id)(unsafe.Pointer(&id)), C.int(rank)))
		if err != nil {
			err = errors.Join(err, c.stream.Close())
		}
		return err
	})
	if err != nil {
		if !c.held {
			c.thread.Close()
		}
		return nil, err
	}
	return c, nil
}

// Try reports why a GPU cannot be a rank, as far as that can be told without others: its
// driver may be too old for this build of NCCL.
func (l *Library) Try(device func() (Stream, error)) error {
	id, err := l.Unique()
	if err != nil {
		return err
	}
	c, err := l.Join(device, id, 0, 1)
	if err != nil {
		return err
	}
	return c.Close()
}

// within runs f on the communicator's thread, and gives up when it does not end: NCCL's own
// calls may wait for other ranks.
func (c *Comm) within(f func() error) error {
	result := make(chan error, 1)
	if !c.thread.CallWithin(c.patience+grace, func() { result <- f() }) {
		c.held = true
		return errSlow
	}
	return <-result
}

// Swap implements [ranks.Wire]. After an error the communicator is of no use any more; other
// ranks may wait until their patience ends.
func (c *Comm) Swap(send, receive []ranks.Part) error {
	if c.broken != nil {
		return c.broken
	}
	out, in := partsOf(send), partsOf(receive)
	if len(out) == 0 && len(in) == 0 {
		return nil
	}
	c.broken = c.within(func() error {
		if err := c.exchange(out, in); err != nil {
			return errors.Join(err, c.abort())
		}
		return nil
	})
	if c.broken == nil {
		c.patience = min(c.patience, patience)
	}
	return c.broken
}

// exchange gives the work to the stream and waits until it is done.
func (c *Comm) exchange(send, receive []C.t2s_nccl_part) error {
	l := c.library
	result := C.t2s_nccl_swap(&l.table, c.handle, c.stream.Handle(), unsafe.SliceData(send), C.size_t(len(send)), unsafe.SliceData(receive), C.size_t(len(receive)))
	if err := l.check("ncclGroupEnd", result); err != nil {
		return err
	}
	pause, longest := 5*time.Microsecond, 200*time.Microsecond
	for start := time.Now(); ; time.Sleep(pause) {
		if done, err := c.stream.Done(); done || err != nil {
			return err
		}
		if err := l.check("ncclCommGetAsyncError", C.t2s_nccl_failed(&l.table, c.handle)); err != nil {
			return err
		}
		if time.Since(start) > c.patience {
			return errSlow
		}
		pause = min(pause+pause/4, longest)
	}
}

// abort takes what is under way from the GPU: it would hold it for ever.
func (c *Comm) abort() error {
	err := c.library.check("ncclCommAbort", C.t2s_nccl_abort(&c.library.table, c.handle))
	c.handle = nil
	return err
}

// Close leaves the other ranks. Where a call of NCCL's does not end, there is nothing that
// could be closed.
func (c *Comm) Close() error {
	if c.held {
		return nil
	}
	defer func() {
		if !c.held {
			c.thread.Close()
		}
	}()
	return c.within(func() error {
		var err error
		if c.handle != nil {
			err = c.library.check("ncclCommDestroy", C.t2s_nccl_destroy(&c.library.table, c.handle))
		}
		if err := errors.Join(err, c.stream.Close()); err != nil {
			return fmt.Errorf("leave the other ranks: %w", err)
		}
		return nil
	})
}

// partsOf is parts as NCCL takes them, without empty ones.
func partsOf(parts []ranks.Part) []C.t2s_nccl_part {
	var out []C.t2s_nccl_part
	for _, p := range parts {
		if p.Len > 0 {
			out = append(out, C.t2s_nccl_part{rank: C.int(p.Rank), address: C.uintptr_t(p.Address), n: C.size_t(p.Len)})
		}
	}
	return out
}
