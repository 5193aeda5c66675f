// Package nccl carries values between the GPUs of ranks, without the host's memory. NVIDIA's
// library is loaded when it is needed; nothing of it is needed to build.
//
// NCCL carries bytes only: sums are made elsewhere, in an order of their own, as those of
// what package mpi carries are. Its own sums (ncclAllReduce) depend on the number of ranks,
// on how the GPUs are connected and on the algorithm that it chooses by that.
package nccl

/*
#cgo linux LDFLAGS: -ldl
#include <stdlib.h>
#include "nccl.h"
*/
import "C"

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"strings"
	"unsafe"
)

// LibraryEnv is the environment variable that names the library's file.
const LibraryEnv = "NCCL_LIB"

// libraryName is what the system's loader is asked for without it.
const libraryName = "libnccl.so.2"

// Library is NCCL, loaded.
type Library struct {
	file    string
	version int
	table   C.t2s_nccl
	limits  limits
}

// ID is what ranks find each other by: one of them makes it and tells the others.
type ID [unsafe.Sizeof(C.t2s_nccl_id{})]byte

// Find opens the library that [LibraryEnv] names, or else that which the system's loader
// finds.
func Find() (*Library, error) { return Open(cmp.Or(os.Getenv(LibraryEnv), libraryName)) }

// Open loads a library by its file, or by the name of one that the system's loader finds. It
// stays loaded.
func Open(file string) (*Library, error) {
	l := &Library{file: file, limits: usual}
	name := C.CString(file)
	defer C.free(unsafe.Pointer(name))
	if fault := C.t2s_nccl_load(name, &l.table); fault != nil {
		defer C.free(unsafe.Pointer(fault))
		return nil, fmt.Errorf("NCCL, 2.7 or later, cannot be loaded: %s: install it (NVIDIA's libnccl2, or pip's nvidia-nccl-cu12 or -cu13) and name its folder in LD_LIBRARY_PATH, or its file in %s", C.GoString(fault), LibraryEnv)
	}
	var version C.int
	if err := l.check("ncclGetVersion", C.t2s_nccl_version(&l.table, &version)); err != nil {
		return nil, err
	}
	l.version = int(version)
	return l, nil
}

// Version is the library's, such as 2.32.3.
func (l *Library) Version() string {
	major := 10000
	if l.version < major {
		major = 1000 // as it was counted up to 2.8
	}
	return fmt.Sprintf("%d.%d.%d", l.version/major, l.version%major/100, l.version%100)
}

// String names the library in messages.
func (l *Library) String() string { return fmt.Sprintf("NCCL %s (%s)", l.Version(), l.file) }

// Unique makes an id for ranks to join by.
func (l *Library) Unique() (ID, error) {
	var id C.t2s_nccl_id
	err := l.check("ncclGetUniqueId", C.t2s_nccl_unique(&l.table, &id))
	return *(*ID)(unsafe.Pointer(&id)), err
}

// Results of NCCL's that mean something of their own.
const (
	cudaFailed   = 1 // ncclUnhandledCudaError
	remoteFailed = 6 // ncclRemoteError
	inProgress   = 7 // ncclInProgress: a call that should have blocked has not
)

// check turns the result of a call into an error that says what NCCL says, and what may mend
// it. What NCCL has warned of last may be older than the call, and is told as such.
func (l *Library) check(call string, result C.int) error {
	if result == 0 {
		return nil
	}
	text := C.GoString(C.t2s_nccl_text(&l.table, result))
	last := C.GoString(C.t2s_nccl_last(&l.table))
	if last != "" {
		text += " (its last warning: " + last + ")"
	}
	return fmt.Errorf("%s of %v: %s: %s", call, l, text, mend(call, int(result), last))
}

// mend is what may help after a call's result and NCCL's last warning.
func mend(call string, result int, last string) string {
	starts := call == "ncclGetUniqueId" || call == "ncclCommInitRank" // nothing was warned of before
	switch {
	case result == inProgress:
		return "NCCL was told not to block: unset NCCL_COMM_BLOCKING in the environment of all ranks and in NCCL's files (/etc/nccl.conf, ~/.nccl.conf), or set it to 1"
	case result == remoteFailed:
		return "another rank has ended, or the network to it: what it or the launcher says comes first"
	case starts && result == cudaFailed && strings.Contains(last, "driver version is insufficient"):
		return "there is no NVIDIA driver, or one older than the CUDA that this build of NCCL is for: update it, or install the build for its CUDA (pip's nvidia-nccl-cu12 for 12)"
	}
	return "NCCL_DEBUG=WARN in the environment of all ranks tells more"
}

// errSlow is what a rank is left with that others let wait.
var errSlow = errors.New("other ranks or GPUs do not answer, one of them may have ended: gave up waiting")
