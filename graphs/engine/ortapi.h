// The functions of ONNX Runtime's C API that onnxruntime_go does not pass on: memory
// of a device, tensors over it, which provider got which node, and operators of our own. OrtApi is a table
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

typedef struct t2sda_api t2sda_api;
typedef struct t2sda_op t2sda_op;
typedef void t2sda_part(void *data, size_t number);

struct t2sda_api {
  void *(*CreateStatus)(int code, const char *message);
  void *first[1];
  const char *(*GetErrorMessage)(const void *status);
  t2sda_skip(2, 26);
  void *(*CreateCustomOpDomain)(const char *domain, void **out);
  void *(*CustomOpDomain_Add)(void *domain, const t2sda_op *op);
  void *(*AddCustomOpDomain)(void *options, void *domain);
  t2sda_skip(28, 49);
  void *(*CreateTensorWithDataAsOrtValue)(const void *info, void *data, size_t bytes, const int64_t *shape,
                                          size_t dims, int type, void **out);
  t2sda_skip(49, 51);
  void *(*GetTensorMutableData)(void *value, void **out);
  t2sda_skip(51, 68);
  void *(*CreateMemoryInfo)(const char *name, int allocator, int id, int kind, void **out);
  t2sda_skip(68, 75);
  void *(*AllocatorAlloc)(void *allocator, size_t bytes, void **out);
  void *(*AllocatorFree)(void *allocator, void *memory);
  t2sda_skip(76, 88);
  void *(*KernelContext_GetInputCount)(const void *context, size_t *out);
  t2sda_skip(88, 90);
  void *(*KernelContext_GetInput)(const void *context, size_t index, const void **out);
  void *(*KernelContext_GetOutput)(void *context, size_t index, const int64_t *dims, size_t rank, void **out);
  t2sda_skip(91, 93);
  void (*ReleaseStatus)(void *);
  void (*ReleaseMemoryInfo)(void *);
  t2sda_skip(94, 96);
  void (*ReleaseValue)(void *);
  t2sda_skip(96, 101);
  void (*ReleaseCustomOpDomain)(void *);
  t2sda_skip(101, 131);
  void *(*CreateAllocator)(const void *session, const void *info, void **out);
  void (*ReleaseAllocator)(void *);
  t2sda_skip(132, 163);
  void *(*KernelInfoGetAttributeArray_int64)(const void *info, const char *name, int64_t *out, size_t *n);
  t2sda_skip(163, 274);
  void *(*KernelContext_ParallelFor)(const void *context, t2sda_part *f, size_t total, size_t batches, void *data);
  t2sda_skip(274, 407);
  void *(*Session_GetEpGraphAssignmentInfo)(const void *session, const void *const **subgraphs, size_t *n);
  void *(*EpAssignedSubgraph_GetEpName)(const void *subgraph, const char **out);
  void *(*EpAssignedSubgraph_GetNodes)(const void *subgraph, const void *const **nodes, size_t *n);
  void *(*EpAssignedNode_GetName)(const void *node, const char **out);
  t2sda_skip(410, 412);
  void *(*EpAssignedNode_GetOperatorType)(const void *node, const char **out);
};

// OrtCustomOp: an operator that is not ONNX Runtime's own.
struct t2sda_op {
  uint32_t version;
  void *(*CreateKernel)(const t2sda_op *op, const t2sda_api *api, const void *info);
  const char *(*GetName)(const t2sda_op *op);
  const char *(*GetExecutionProviderType)(const t2sda_op *op);
  int (*GetInputType)(const t2sda_op *op, size_t index);
  size_t (*GetInputTypeCount)(const t2sda_op *op);
  int (*GetOutputType)(const t2sda_op *op, size_t index);
  size_t (*GetOutputTypeCount)(const t2sda_op *op);
  void (*KernelCompute)(void *kernel, void *context);
  void (*KernelDestroy)(void *kernel);
  int (*GetInputCharacteristic)(const t2sda_op *op, size_t index);
  int (*GetOutputCharacteristic)(const t2sda_op *op, size_t index);
  int (*GetInputMemoryType)(const t2sda_op *op, size_t index);
  int (*GetVariadicInputMinArity)(const t2sda_op *op);
  int (*GetVariadicInputHomogeneity)(const t2sda_op *op);
  int (*GetVariadicOutputMinArity)(const t2sda_op *op);
  int (*GetVariadicOutputHomogeneity)(const t2sda_op *op);
  void *(*CreateKernelV2)(const t2sda_op *op, const t2sda_api *api, const void *info, void **kernel);
  void *(*KernelComputeV2)(void *kernel, void *context);
  void *(*InferOutputShapeFn)(const t2sda_op *op, void *context);
  int (*GetStartVersion)(const t2sda_op *op);
  int (*GetEndVersion)(const t2sda_op *op);
  size_t (*GetMayInplace)(int **inputs, int **outputs);
  void (*ReleaseMayInplace)(int *inputs, int *outputs);
  size_t (*GetAliasMap)(int **inputs, int **outputs);
  void (*ReleaseAliasMap)(int *inputs, int *outputs);
};

// OrtApiBase, of which OrtGetApiBase returns one.
typedef struct {
  const t2sda_api *(*GetApi)(uint32_t version);
} t2sda_api_base;

#endif
