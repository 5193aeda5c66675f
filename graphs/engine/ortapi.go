package engine

/*
#cgo CFLAGS: -O3
#cgo LDFLAGS: -ldl -lm
#include <dlfcn.h>
#include <stdlib.h>
#include "native.h"
#include "ortapi.h"

// Go calls no function pointers; these call the table's.

static const t2sda_api *api_of(void *get_base) {
	return ((const t2sda_api_base *(*)(void))get_base)()->GetApi(T2SDA_API_VERSION);
}
static const char *api_message(const t2sda_api *a, void *status) { return a->GetErrorMessage(status); }
static void api_release_status(const t2sda_api *a, void *status) { a->ReleaseStatus(status); }
static void *api_memory_info(const t2sda_api *a, const char *name, int id, void **out) {
	const int arena = 1, standard = 0; // OrtArenaAllocator, OrtMemTypeDefault
	return a->CreateMemoryInfo(name, arena, id, standard, out);
}
static void api_release_memory_info(const t2sda_api *a, void *info) { a->ReleaseMemoryInfo(info); }
static void *api_allocator(const t2sda_api *a, void *session, void *info, void **out) {
	return a->CreateAllocator(session, info, out);
}
static void api_release_allocator(const t2sda_api *a, void *allocator) { a->ReleaseAllocator(allocator); }
static void *api_alloc(const t2sda_api *a, void *allocator, size_t bytes, uintptr_t *out) {
	return a->AllocatorAlloc(allocator, bytes, (void **)out);
}
static void *api_free(const t2sda_api *a, void *allocator, uintptr_t memory) {
	return a->AllocatorFree(allocator, (void *)memory);
}
static void *api_tensor(const t2sda_api *a, void *info, uintptr_t data, size_t bytes, int64_t *shape, size_t dims, int type, void **out) {
	return a->CreateTensorWithDataAsOrtValue(info, (void *)data, bytes, shape, dims, type, out);
}
static void api_release_value(const t2sda_api *a, void *value) { a->ReleaseValue(value); }
static void *api_subgraphs(const t2sda_api *a, void *session, const void *const **out, size_t *n) {
	return a->Session_GetEpGraphAssignmentInfo(session, out, n);
}
static void *api_provider(const t2sda_api *a, const void *const *subgraphs, size_t i, const char **out) {
	return a->EpAssignedSubgraph_GetEpName(subgraphs[i], out);
}
static void *api_nodes(const t2sda_api *a, const void *const *subgraphs, size_t i, const void *const **out, size_t *n) {
	return a->EpAssignedSubgraph_GetNodes(subgraphs[i], out, n);
}
static void *api_node(const t2sda_api *a, const void *const *nodes, size_t i, const char **name, const char **op) {
	void *status = a->EpAssignedNode_GetName(nodes[i], name);
	return status ? status : a->EpAssignedNode_GetOperatorType(nodes[i], op);
}
// api_domain makes the domain of our operators.
static void *api_domain(const t2sda_api *a, const char *name, void **out) {
	const t2sda_op *const ops[] = {t2sda_elementwise(), t2sda_gelu_grad(), t2sda_layer_norm(), t2sda_layer_norm_grad(), t2sda_scatter_labels(),
	                               t2sda_depthwise_conv(), t2sda_depthwise_weight_grad(), t2sda_resize_grad(), t2sda_resize_linear(), t2sda_softmax_grad()};
	void *status = a->CreateCustomOpDomain(name, out);
	if (status) return status;
	for (size_t k = 0; k < sizeof ops / sizeof *ops && !status; k++) status = a->CustomOpDomain_Add(*out, ops[k]);
	if (status) a->ReleaseCustomOpDomain(*out);
	return status;
}
static void api_release_domain(const t2sda_api *a, void *domain) { a->ReleaseCustomOpDomain(domain); }
static void *api_add_domain(const t2sda_api *a, void *options, void *domain) { return a->AddCustomOpDomain(options, domain); }
*/
import "C"

import (
	"errors"
	"fmt"
	"unsafe"
)

// api is ONNX Runtime's C API, of the library that onnxruntime_go has loaded.
type api struct {
	library unsafe.Pointer // a handle of our own: one more use of the same library
	table   *C.t2sda_api
}

// Handles of ONNX Runtime's, all of them C pointers.
type (
	apiSession    unsafe.Pointer
	apiMemoryInfo unsafe.Pointer
	apiAllocator  unsafe.Pointer
	apiValue      unsafe.Pointer
	apiDomain     unsafe.Pointer
	apiOptions    unsafe.Pointer
)

// openAPI finds the API in a library that is loaded already.
func openAPI(file string) (*api, error) {
	name, symbol := C.CString(file), C.CString(apiSymbol)
	defer C.free(unsafe.Pointer(name))
	defer C.free(unsafe.Pointer(symbol))
	a := &api{library: C.dlopen(name, C.RTLD_LAZY)}
	if a.library == nil {
		return nil, fmt.Errorf("the C API of %s: %s", file, C.GoString(C.dlerror()))
	}
	if get := C.dlsym(a.library, symbol); get != nil {
		a.table = C.api_of(get)
	}
	if a.table == nil {
		return nil, errors.Join(fmt.Errorf("the C API of %s: it has no version %d", file, C.T2SDA_API_VERSION), a.close())
	}
	return a, nil
}

func (a *api) close() error {
	if C.dlclose(a.library) != 0 {
		return fmt.Errorf("close the C API: %s", C.GoString(C.dlerror()))
	}
	return nil
}

// check turns a status into an error and frees it.
func (a *api) check(status unsafe.Pointer) error {
	if status == nil {
		return nil
	}
	defer C.api_release_status(a.table, status)
	return errors.New(C.GoString(C.api_message(a.table, status)))
}

// memoryInfo names a device's memory.
func (a *api) memoryInfo(d device) (apiMemoryInfo, error) {
	kind := "Cpu"
	if d.kind == "cuda" {
		kind = "Cuda"
	}
	name := C.CString(kind)
	defer C.free(unsafe.Pointer(name))
	var out unsafe.Pointer
	err := a.check(C.api_memory_info(a.table, name, C.int(d.ordinal), &out))
	return apiMemoryInfo(out), err
}

func (a *api) releaseMemoryInfo(i apiMemoryInfo) {
	C.api_release_memory_info(a.table, unsafe.Pointer(i))
}

// allocator returns the one that a session has for that memory. It must not outlive
// the session.
func (a *api) allocator(s apiSession, i apiMemoryInfo) (apiAllocator, error) {
	var out unsafe.Pointer
	err := a.check(C.api_allocator(a.table, unsafe.Pointer(s), unsafe.Pointer(i), &out))
	return apiAllocator(out), err
}

func (a *api) releaseAllocator(m apiAllocator) { C.api_release_allocator(a.table, unsafe.Pointer(m)) }

// alloc returns the address of memory, which the host may be unable to read.
func (a *api) alloc(m apiAllocator, bytes int) (uintptr, error) {
	var out C.uintptr_t
	err := a.check(C.api_alloc(a.table, unsafe.Pointer(m), C.size_t(bytes), &out))
	return uintptr(out), err
}

func (a *api) free(m apiAllocator, address uintptr) error {
	return a.check(C.api_free(a.table, unsafe.Pointer(m), C.uintptr_t(address)))
}

// tensor makes a value over memory at an address, without a copy. ONNX Runtime numbers element
// types as ONNX does.
func (a *api) tensor(i apiMemoryInfo, t DType, address uintptr, dims []int) (apiValue, error) {
	shape, n := make([]C.int64_t, len(dims)+1), 1 // one more, so that it has a first element
	for k, d := range dims {
		shape[k], n = C.int64_t(d), n*d
	}
	var out unsafe.Pointer
	err := a.check(C.api_tensor(a.table, unsafe.Pointer(i), C.uintptr_t(address), C.size_t(t.elementSize()*n), &shape[0], C.size_t(len(dims)), C.int(t), &out))
	return apiValue(out), err
}

func (a *api) releaseValue(v apiValue) { C.api_release_value(a.table, unsafe.Pointer(v)) }

// domain makes the domain of our operators, which must outlive the sessions that it is added to.
func (a *api) domain(name string) (apiDomain, error) {
	text := C.CString(name)
	defer C.free(unsafe.Pointer(text))
	var out unsafe.Pointer
	if err := a.check(C.api_domain(a.table, text, &out)); err != nil {
		return nil, err
	}
	return apiDomain(out), nil
}

func (a *api) releaseDomain(d apiDomain) { C.api_release_domain(a.table, unsafe.Pointer(d)) }

// addDomain lets sessions of those options have the domain's operators.
func (a *api) addDomain(o apiOptions, d apiDomain) error {
	return a.check(C.api_add_domain(a.table, unsafe.Pointer(o), unsafe.Pointer(d)))
}

// assigned is a node and the execution provider that runs it.
type assigned struct{ provider, name, op string }

// assignment lists the session's nodes; the session must have been told to keep it.
func (a *api) assignment(s apiSession) ([]assigned, error) {
	var subgraphs *unsafe.Pointer
	var n C.size_t
	if err := a.check(C.api_subgraphs(a.table, unsafe.Pointer(s), &subgraphs, &n)); err != nil {
		return nil, err
	}
	var all []assigned
	for i := range n {
		var provider *C.char
		var nodes *unsafe.Pointer
		var count C.size_t
		err := errors.Join(a.check(C.api_provider(a.table, subgraphs, i, &provider)), a.check(C.api_nodes(a.table, subgraphs, i, &nodes, &count)))
		if err != nil {
			return nil, err
		}
		for k := range count {
			var name, op *C.char
			if err := a.check(C.api_node(a.table, nodes, k, &name, &op)); err != nil {
				return nil, err
			}
			all = append(all, assigned{C.GoString(provider), C.GoString(name), C.GoString(op)})
		}
	}
	return all, nil
}
