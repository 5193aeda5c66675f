// Operators of our own, for ONNX Runtime's CPU provider: what graphs.MarshalNative writes in the
// place of ONNX's. They give the same bits, unless their files say otherwise.
#ifndef T2SDA_NATIVE_H
#define T2SDA_NATIVE_H

#include "ortapi.h"

#include <stdlib.h>
#include <string.h>

// The operators, for CustomOpDomain_Add.
const t2sda_op *t2sda_elementwise(void);
const t2sda_op *t2sda_gelu_grad(void);
const t2sda_op *t2sda_layer_norm(void);
const t2sda_op *t2sda_layer_norm_grad(void);
const t2sda_op *t2sda_scatter_labels(void);
const t2sda_op *t2sda_depthwise_conv(void);
const t2sda_op *t2sda_depthwise_weight_grad(void);
const t2sda_op *t2sda_resize_grad(void);
const t2sda_op *t2sda_resize_linear(void);
const t2sda_op *t2sda_softmax_grad(void);

#define T2SDA_FUSED_REGISTERS 24
#define T2SDA_FUSED_SLOTS 64
#define T2SDA_FUSED_RANK 8

// A product and a sum are two roundings, as they are in ONNX Runtime.
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")
#endif

#define ALWAYS static inline __attribute__((always_inline))

// NATIVE_TASK makes f_task(data, number), which is f compiled for AVX2 and FMA: without them there are no operators
// of ours (Engine.Native). AVX-512 brings nothing on top of it: memory is the limit.
#if defined(__x86_64__)
#define NATIVE_AVX2 __attribute__((target("avx2,fma")))
#else
#define NATIVE_AVX2
#endif
#define NATIVE_TASK(f, type) \
  NATIVE_AVX2 static void f##_task(void *data, size_t number) { f((type)data, (int64_t)number); }

// The compiler makes two vectors of the processor's of one of these. Memory of tensors is aligned to
// floats only.
enum { LANES = 16 };
typedef float vector __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

// One of the processor's.
enum { WIDTH = 8 };
typedef float octet __attribute__((vector_size(4 * WIDTH), aligned(4), may_alias));

enum { NATIVE_RANK = 16 };

typedef struct {
  int rank;
  int64_t size, dims[NATIVE_RANK];
} native_shape;

// The attributes of a node, all of them lists of integers. Only Elementwise has more than the first
// two.
enum { SIZES, RESULTS, FEW_LISTS, OPERANDS = FEW_LISTS, ONCE, CODE, ALL_LISTS };

typedef struct {
  int64_t *of[ALL_LISTS];
  size_t n[ALL_LISTS];
} native_lists;

// native_product is 0 where a dimension is not positive or the product has no place in an int64.
static inline int64_t native_product(const int64_t *dims, int rank) {
  int64_t n = 1;
  for (int d = 0; d < rank; d++) {
    if (dims[d] < 1 || n > INT64_MAX / dims[d]) return 0;
    n *= dims[d];
  }
  return n;
}

// native_shapes reads shapes, each after its rank, and returns how many; -1 where they are none.
static inline int native_shapes(const int64_t *at, size_t n, native_shape *out, int most) {
  int k = 0;
  for (const int64_t *end = at + n; at < end; k++) {
    const int64_t rank = *at++;
    if (k == most || rank < 0 || rank > NATIVE_RANK || rank > end - at) return -1;
    out[k].rank = (int)rank;
    memcpy(out[k].dims, at, rank * sizeof *at);
    at += rank;
    if (!(out[k].size = native_product(out[k].dims, out[k].rank))) return -1;
  }
  return k;
}

// native_read reads the first lists.
static inline void *native_read(const t2sda_api *api, const void *info, int lists, native_lists *l) {
  static const char *const names[ALL_LISTS] = {"sizes", "results", "operands", "once", "code"};
  for (int k = 0; k < lists; k++) {
    void *status = api->KernelInfoGetAttributeArray_int64(info, names[k], NULL, &l->n[k]);
    if (!status && !(l->of[k] = calloc(l->n[k] + 1, sizeof *l->of[k]))) status = api->CreateStatus(1, "out of memory");
    if (!status) status = api->KernelInfoGetAttributeArray_int64(info, names[k], l->of[k], &l->n[k]);
    if (status) return status;
  }
  return NULL;
}

// native_create makes a kernel of so many bytes, zeros, which parse fills by the first lists; it may
// keep some, and sets them to NULL. Where it returns 0, unfit is the error.
static inline void *native_create(const t2sda_api *api, const void *info, size_t bytes, int lists,
                                  int (*parse)(void *kernel, const t2sda_api *api, native_lists *l), void (*destroy)(void *),
                                  const char *unfit, void **kernel) {
  void *k = calloc(1, bytes);
  if (!k) return api->CreateStatus(1, "out of memory");
  native_lists l = {0};
  void *status = native_read(api, info, lists, &l);
  if (!status && !parse(k, api, &l)) status = api->CreateStatus(1, unfit);
  for (int i = 0; i < lists; i++) free(l.of[i]);
  if (status)
    destroy(k);
  else
    *kernel = k;
  return status;
}

static inline void *native_operand(const t2sda_api *api, void *context, size_t k, const void **out) {
  const void *value;
  void *status = api->KernelContext_GetInput(context, k, &value);
  return status ? status : api->GetTensorMutableData((void *)value, (void **)out);
}

static inline void *native_result(const t2sda_api *api, void *context, size_t k, const native_shape *s, float **out) {
  void *value;
  void *status = api->KernelContext_GetOutput(context, k, s->dims, s->rank, &value);
  return status ? status : api->GetTensorMutableData(value, (void **)out);
}

// The most elements along an axis that is sampled: float32 counts that far. And of a padded map, of which
// each thread has one.
enum { NATIVE_MOST = 1 << 24 };

// native_share gives the session's threads the parts of a run.
static inline void *native_share(const t2sda_api *api, void *context, t2sda_part *f, size_t parts, void *run) {
  if (parts > 1) return api->KernelContext_ParallelFor(context, f, parts, 0, run);
  f(run, 0);
  return NULL;
}

// How many maps, rows or channels a run has, and how many of them make a part of it.
typedef struct {
  int64_t count, group;
} native_parts;

// native_parts_of makes parts that keep a thread busy for some microseconds.
static inline native_parts native_parts_of(int64_t count, int64_t elements) {
  enum { BUSY = 32768 };
  return (native_parts){count, elements < BUSY ? BUSY / elements : 1};
}

// native_maps_of is native_parts_of the maps of a result [N,C,H,W].
static inline native_parts native_maps_of(const native_shape *s) {
  return native_parts_of(s->dims[0] * s->dims[1], s->dims[2] * s->dims[3]);
}

static inline int64_t native_count(const native_parts *p) { return (p->count + p->group - 1) / p->group; }

// native_end is what comes after the last one of a part.
static inline int64_t native_end(const native_parts *p, int64_t part) {
  const int64_t end = (part + 1) * p->group;
  return end < p->count ? end : p->count;
}

// native_share_parts is native_share for parts that may set failed, if it is not NULL, where there is no
// memory for them.
static inline void *native_share_parts(const t2sda_api *api, void *context, t2sda_part *f, const native_parts *p, void *run, const int *failed) {
  void *status = native_share(api, context, f, native_count(p), run);
  return !status && failed && *failed ? api->CreateStatus(1, "out of memory") : status;
}

// What the operators answer alike.
static inline const char *native_provider(const t2sda_op *op) { return "CPUExecutionProvider"; }
static inline int native_float32(const t2sda_op *op, size_t index) { return 1; }
static inline int native_required(const t2sda_op *op, size_t index) { return 0; }
static inline int native_memory(const t2sda_op *op, size_t index) { return 0; }

// ONNX Runtime may give the first result the memory of the first operand.
static inline size_t native_first_inplace(int **operands, int **results) {
  static int first = 0;
  *operands = *results = &first;
  return 1;
}
static inline void native_release_inplace(int *operands, int *results) {}

// NATIVE_OPERATOR defines an operator: the function that returns it, the type of its kernels, how many
// lists of attributes they are made of, its name and what those have to fit, how many operands and
// results it has, and what it answers itself. parse, destroy and compute are the file's.
#define NATIVE_OPERATOR(function, type, lists, label, fit, operands, results, ...)                     \
  static void *create(const t2sda_op *op, const t2sda_api *api, const void *info, void **kernel) {     \
    return native_create(api, info, sizeof(type), lists, parse, destroy, label ": its attributes fit no " fit, kernel); \
  }                                                                                                    \
  static const char *op_name(const t2sda_op *op) { return label; }                                     \
  static size_t op_operands(const t2sda_op *op) { return operands; }                                   \
  static size_t op_results(const t2sda_op *op) { return results; }                                     \
  const t2sda_op *function(void) {                                                                     \
    static const t2sda_op op = {                                                                       \
        .version = T2SDA_API_VERSION,                                                                  \
        .GetName = op_name,                                                                            \
        .GetExecutionProviderType = native_provider,                                                   \
        .GetInputTypeCount = op_operands,                                                              \
        .GetOutputType = native_float32,                                                               \
        .GetOutputTypeCount = op_results,                                                              \
        .GetInputMemoryType = native_memory,                                                           \
        .CreateKernelV2 = create,                                                                      \
        .KernelComputeV2 = compute,                                                                    \
        .KernelDestroy = destroy,                                                                      \
        __VA_ARGS__};                                                                                  \
    return &op;                                                                                        \
  }

#endif
