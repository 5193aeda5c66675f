// The functions of ONNX Runtime's C API that onnxruntime_go does not pass on: memory
// of a device, tensors over it, and which provider got which node. OrtApi is a table
// of functions that only ever grows at its end, so that a function's place is part of
// the interface (onnxruntime_c_api.h, "versioning"); TestAPITable compares the places
// with the header that onnxruntime_go brings. Opaque types are void here.
#ifndef T2SDA_ORTAPI_H
#define T2SDA_ORTAPI_H

#include <stddef.h>
#include <stdint.h>

// The version of the table to ask for: that of onnxruntime_go's header.
#define T2SDA_API_VERSION 24

// t2sda_skip leaves out the functions between two places.
#define t2sda_skip(last, next) void *after_##last[(next) - (last) - 1]

typedef struct {
  void *first[2];
  const char *(*GetErrorMessage)(const void *status);
  t2sda_skip(2, 49);
  void *(*CreateTensorWithDataAsOrtValue)(const void *info, void *data, size_t bytes, const int64_t *shape,
                                          size_t dims, int type, void **out);
  t2sda_skip(49, 68);
  void *(*CreateMemoryInfo)(const char *name, int allocator, int id, int kind, void **out);
  t2sda_skip(68, 75);
  void *(*AllocatorAlloc)(void *allocator, size_t bytes, void **out);
  void *(*AllocatorFree)(void *allocator, void *memory);
  t2sda_skip(76, 93);
  void (*ReleaseStatus)(void *);
  void (*ReleaseMemoryInfo)(void *);
  t2sda_skip(94, 96);
  void (*ReleaseValue)(void *);
  t2sda_skip(96, 131);
  void *(*CreateAllocator)(const void *session, const void *info, void **out);
  void (*ReleaseAllocator)(void *);
  t2sda_skip(132, 407);
  void *(*Session_GetEpGraphAssignmentInfo)(const void *session, const void *const **subgraphs, size_t *n);
  void *(*EpAssignedSubgraph_GetEpName)(const void *subgraph, const char **out);
  void *(*EpAssignedSubgraph_GetNodes)(const void *subgraph, const void *const **nodes, size_t *n);
  void *(*EpAssignedNode_GetName)(const void *node, const char **out);
  t2sda_skip(410, 412);
  void *(*EpAssignedNode_GetOperatorType)(const void *node, const char **out);
} t2sda_api;

// OrtApiBase, of which OrtGetApiBase returns one.
typedef struct {
  const t2sda_api *(*GetApi)(uint32_t version);
} t2sda_api_base;

#endif
