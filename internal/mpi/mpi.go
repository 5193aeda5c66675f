// Package mpi lets ranks that an MPI launcher has started speak with each other. The
// library, Open MPI's or one that is binary-compatible with MPICH, is loaded when it is
// needed; nothing of it is needed to build.
//
// MPI carries bytes only. What they mean and in which order they are added up is package
// ranks' affair, so that sums do not depend on the library.
package mpi

/*
#cgo LDFLAGS: -ldl
#include <stdlib.h>
#include "mpi.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unsafe"

	"t2sda/internal/osthread"
	"t2sda/internal/ranks"
)

// World is all ranks of the job. It implements [ranks.Link]. Its methods are for one
// goroutine, but for SetPatience.
type World struct{ comm }

// comm is ranks that speak with each other: all, or some that were split off.
type comm struct {
	*process
	handle     C.t2s_comm
	rank, size int
}

// process is what this process speaks with others by.
type process struct {
	library  string
	thread   *osthread.Thread // the one that started MPI: more, MPI need not allow
	patience *C.longlong      // in C's memory, which a call under way looks at; 0: without end
}

// errGaveUp is what a rank is left with that others let wait.
var errGaveUp = errors.New("other ranks do not answer, one of them may have ended: gave up waiting")

// open loads one of the libraries, the first that is there, and starts MPI.
func open(libraries []string) (*World, error) {
	p := &process{thread: osthread.New(), patience: (*C.longlong)(C.calloc(1, C.size_t(unsafe.Sizeof(C.longlong(0)))))}
	w := &World{comm{process: p}}
	var err error
	if w.thread.Call(func() { err = w.start(libraries) }); err != nil {
		w.thread.Close()
		return nil, err
	}
	return w, nil
}

func (w *World) start(libraries []string) error {
	var faults []string
	for _, name := range libraries {
		text := C.CString(name)
		fault := C.t2s_load(text)
		C.free(unsafe.Pointer(text))
		if fault == nil {
			w.library = name
			break
		}
		faults = append(faults, C.GoString(fault))
		C.free(unsafe.Pointer(fault))
	}
	if w.library == "" {
		return fmt.Errorf("no MPI library can be loaded, install Open MPI or MPICH on every node or set LD_LIBRARY_PATH to where it is: %s", strings.Join(faults, "; "))
	}
	if rc := C.t2s_init(); rc == C.T2S_THREADS {
		return fmt.Errorf("%s was built without support for threads, which this program has (it lacks MPI_THREAD_FUNNELED): use another build of it", w.library)
	} else if rc != 0 {
		return w.fault("MPI_Init_thread", rc)
	}
	w.handle = C.t2s_world()
	return w.count()
}

// count asks how many ranks there are, and which of them this is.
func (c *comm) count() error {
	var rank, size C.int
	if rc := C.t2s_rank(c.handle, &rank); rc != 0 {
		return c.fault("MPI_Comm_rank", rc)
	}
	if rc := C.t2s_size(c.handle, &size); rc != 0 {
		return c.fault("MPI_Comm_size", rc)
	}
	c.rank, c.size = int(rank), int(size)
	return nil
}

// fault is a call's error; nil for 0.
func (p *process) fault(what string, rc C.int) error {
	switch rc {
	case 0:
		return nil
	case C.T2S_GAVE_UP:
		return errGaveUp
	}
	var text [1024]C.char
	C.t2s_text(rc, &text[0])
	return fmt.Errorf("%s (%s): %s", what, p.library, C.GoString(&text[0]))
}

// Rank implements [ranks.Link].
func (c *comm) Rank() int { return c.rank }

// Size implements [ranks.Link].
func (c *comm) Size() int { return c.size }

// mostBytes is what one call of MPI moves for each rank at most: it counts in 32 bits.
const mostBytes = 1 << 30

// together waits for the other ranks and then calls MPI for n bytes of each.
func (c *comm) together(what string, n int, f func() C.int) (err error) {
	if n > mostBytes {
		return fmt.Errorf("%s: %d bytes of each rank are more than one call moves", what, n)
	}
	c.thread.Call(func() {
		if err = c.fault("MPI_Ibarrier", C.t2s_meet(c.handle, c.patience)); err == nil {
			err = c.fault(what, f())
		}
	})
	return err
}

// Gather implements [ranks.Link].
func (c *comm) Gather(dst, src []byte) error {
	if len(src) == 0 {
		return nil
	}
	return c.together("MPI_Allgather", len(src), func() C.int {
		return C.t2s_gather(c.handle, unsafe.Pointer(&dst[0]), unsafe.Pointer(&src[0]), C.int(len(src)))
	})
}

// Exchange implements [ranks.Link].
func (c *comm) Exchange(dst, src []byte) error {
	n := len(src) / c.size
	return c.together("MPI_Alltoall", n, func() C.int {
		return C.t2s_exchange(c.handle, unsafe.Pointer(&dst[0]), unsafe.Pointer(&src[0]), C.int(n))
	})
}

// Split implements [ranks.Link].
func (c *comm) Split(color int) (ranks.Link, error) {
	part := &comm{process: c.process}
	err := c.together("MPI_Comm_split", 0, func() C.int {
		return C.t2s_split(c.handle, C.int(color), C.int(c.rank), &part.handle)
	})
	if err == nil {
		c.thread.Call(func() { err = part.count() })
	}
	if err != nil {
		return nil, err
	}
	return part, nil
}

// SetPatience makes it an error to wait for other ranks, each time, for longer than that, from now on.
func (w *World) SetPatience(d time.Duration) { *w.patience = C.longlong(max(d, 1)) }

// Close ends MPI, for which all ranks wait for each other.
func (w *World) Close() error {
	return w.together("MPI_Finalize", 0, func() C.int { return C.t2s_finalize() })
}

// Abort ends all ranks at once: those, too, that wait for one which will not come.
func (w *World) Abort(code int) { w.thread.Call(func() { C.t2s_abort(C.int(code)) }) }
