package nccl

/*
#include <stdlib.h>
#include "nccl.h"
*/
import "C"

import (
	"context"
	"errors"
	"fmt"
	"time"
	"unsafe"

	"t2sda/internal/nvidia"
	"t2sda/internal/osthread"
	"t2sda/internal/ranks"
)

// limits are how long others are waited for. All ranks come to a swap at about the same time,
// after they have agreed that nobody has failed, so that a wait is for the transfer alone;
// until the first has ended, also for the connections, of which each pair of ranks needs one.
type limits struct {
	first, later time.Duration
	grace        time.Duration // longer, for NCCL's own calls, which should end by themselves
	try          time.Duration // for one GPU without others
}

var usual = limits{first: 5 * time.Minute, later: time.Minute, grace: 15 * time.Second, try: 30 * time.Second}

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
	handle   *unsafe.Pointer // an ncclComm_t in C's memory: NCCL may write it later
	patience time.Duration
	broken   error // after it nothing works
	stuck    bool  // the thread is in a call that does not end
}

// Join makes this process a rank of those of an id, for whose other ranks it waits. Device
// makes the stream that its GPU works by.
func (l *Library) Join(device func() (Stream, error), id ID, rank, size int) (*Comm, error) {
	ctx, cancel := context.WithTimeout(context.Background(), l.limits.first+l.limits.grace)
	defer cancel()
	return l.join(ctx, device, id, rank, size)
}

func (l *Library) join(ctx context.Context, device func() (Stream, error), id ID, rank, size int) (*Comm, error) {
	c := &Comm{library: l, thread: osthread.New(), patience: l.limits.first}
	c.handle = (*unsafe.Pointer)(C.calloc(1, C.size_t(unsafe.Sizeof(unsafe.Pointer(nil)))))
	err := c.until(ctx, func() (err error) {
		if c.stream, err = device(); err != nil {
			return err
		}
		result := C.t2s_nccl_init(&l.table, c.handle, C.int(size), (*C.t2s_nccl_id)(unsafe.Pointer(&id)), C.int(rank))
		if err = l.check("ncclCommInitRank", result); err != nil && result != inProgress {
			err = errors.Join(err, c.stream.Close())
		}
		return err
	})
	if err != nil {
		if !c.stuck {
			c.thread.Close()
		}
		return nil, err // the handle stays where NCCL may write it
	}
	return c, nil
}

// Try reports why a GPU cannot be a rank, as far as that can be told without others: its
// driver may be too old for this build of NCCL.
func (l *Library) Try(ctx context.Context, device func() (Stream, error)) error {
	slow := fmt.Errorf("%v does not come back from trying this GPU within %v: see what nvidia-smi says of it; NCCL_DEBUG=INFO tells what it waits for", l, l.limits.try)
	ctx, cancel := context.WithTimeoutCause(ctx, l.limits.try, slow)
	defer cancel()
	id, err := l.Unique()
	if err != nil {
		return err
	}
	c, err := l.join(ctx, device, id, 0, 1)
	if err == nil {
		err = c.leave(ctx, "ncclCommDestroy", func() C.int { return C.t2s_nccl_destroy(&l.table, *c.handle) })
	}
	if errors.Is(err, errSlow) {
		err = context.Cause(ctx)
	}
	return err
}

// within runs f on the communicator's thread, and gives up when it does not end: NCCL's own
// calls may wait for other ranks.
func (c *Comm) within(limit time.Duration, f func() error) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return c.until(ctx, f)
}

func (c *Comm) until(ctx context.Context, f func() error) error {
	result := make(chan error, 1)
	if !c.thread.CallUntil(ctx, func() { result <- f() }) {
		c.stuck = true
		return errSlow
	}
	return <-result
}

// Swap implements [ranks.Wire]. After an error the communicator is of no use any more, and
// what was under way may still be: other ranks may wait for it until their patience ends, and
// it is taken from the GPU by [Comm.Abort], which may wait for them. So the error comes first.
func (c *Comm) Swap(send, receive []ranks.Part) error {
	if c.broken != nil {
		return c.broken
	}
	out, in := partsOf(send), partsOf(receive)
	if len(out) == 0 && len(in) == 0 {
		return nil
	}
	c.broken = c.within(c.patience+c.library.limits.grace, func() error { return c.transfer(out, in) })
	if c.broken == nil {
		c.patience = min(c.patience, c.library.limits.later)
	}
	return c.broken
}

// transfer gives the work to the stream and waits until it is done.
func (c *Comm) transfer(send, receive []C.t2s_nccl_part) error {
	l, start := c.library, time.Now()
	var call *C.char
	result := C.t2s_nccl_swap(&l.table, *c.handle, c.stream.Handle(), unsafe.SliceData(send), C.size_t(len(send)), unsafe.SliceData(receive), C.size_t(len(receive)), &call)
	if err := l.check(C.GoString(call), result); err != nil {
		return err
	}
	pause, longest := 5*time.Microsecond, 200*time.Microsecond
	for ; ; time.Sleep(pause) {
		if done, err := c.stream.Done(); done || err != nil {
			return err
		}
		if err := l.check("ncclCommGetAsyncError", C.t2s_nccl_failed(&l.table, *c.handle)); err != nil {
			return err
		}
		if time.Since(start) > c.patience {
			return errSlow
		}
		pause = min(pause+pause/4, longest)
	}
}

// Close leaves the other ranks, which do so too. One that has failed, or whose others may not
// come, calls [Comm.Abort].
func (c *Comm) Close() error {
	if c.broken != nil {
		return c.Abort()
	}
	ctx, cancel := context.WithTimeout(context.Background(), c.patience+c.library.limits.grace)
	defer cancel()
	return c.leave(ctx, "ncclCommDestroy", func() C.int { return C.t2s_nccl_destroy(&c.library.table, *c.handle) })
}

// Abort leaves the other ranks, whatever they do, and takes from the GPU what is under way,
// which would hold it for ever. Where a call of NCCL's does not end, there is nothing that
// could be closed.
func (c *Comm) Abort() error {
	ctx, cancel := context.WithTimeout(context.Background(), c.library.limits.grace)
	defer cancel()
	return c.leave(ctx, "ncclCommAbort", func() C.int { return C.t2s_nccl_abort(&c.library.table, *c.handle) })
}

// leave ends the communicator by a call of NCCL's, then what it was made of.
func (c *Comm) leave(ctx context.Context, call string, end func() C.int) error {
	if c.stuck {
		return nil
	}
	err := c.until(ctx, func() error { return errors.Join(c.library.check(call, end()), c.stream.Close()) })
	if !c.stuck {
		c.thread.Close()
		C.free(unsafe.Pointer(c.handle))
	}
	if err != nil {
		return fmt.Errorf("leave the other ranks: %w", err)
	}
	return nil
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
