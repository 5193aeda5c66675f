#include "native.h"

// ScatterLabels: ScatterElements' sum into zeros of one value for each place of the other axes, along
// an axis of classes. ONNX Runtime does it on one thread, after it has copied the zeros.
typedef struct {
  const t2sda_api *api;
  int64_t outer, classes, inner;
  native_shape result;
} scatter;

typedef struct {
  const scatter *scatter;
  const int64_t *labels;
  const float *values;
  float *y;
  int bad; // whether a label was no class; only ever set
} run;

// part writes the places of one class.
ALWAYS void part(run *u, int64_t number) {
  const scatter *g = u->scatter;
  const int64_t class = number % g->classes, from = number / g->classes * g->inner;
  const int64_t *labels = u->labels + from;
  const float *values = u->values + from;
  float *y = u->y + number * g->inner;
  for (int64_t i = 0; i < g->inner; i++) y[i] = labels[i] == class || labels[i] == class - g->classes ? 0.0f + values[i] : 0.0f;
  if (class == 0) {
    int bad = 0;
    for (int64_t i = 0; i < g->inner; i++) bad |= labels[i] < -g->classes || labels[i] >= g->classes;
    if (bad) __atomic_store_n(&u->bad, 1, __ATOMIC_RELAXED);
  }
}

NATIVE_TASK(part, run *)

static void *compute(void *kernel, void *context) {
  const scatter *g = kernel;
  run u = {.scatter = g};
  void *status = native_operand(g->api, context, 0, (const void **)&u.labels);
  if (!status) status = native_operand(g->api, context, 1, (const void **)&u.values);
  if (!status) status = native_result(g->api, context, 0, &g->result, &u.y);
  if (!status) status = native_share(g->api, context, part_task, g->outer * g->classes, &u);
  if (!status && u.bad) status = g->api->CreateStatus(2, "ScatterLabels: an index is out of range");
  return status;
}

static void destroy(void *kernel) { free(kernel); }

// parse takes the sizes before, of and after the axis, and the shape of the result.
static int parse(void *kernel, const t2sda_api *api, native_lists *l) {
  scatter *g = kernel;
  g->api = api;
  if (l->n[SIZES] != 3 || native_shapes(l->of[RESULTS], l->n[RESULTS], &g->result, 1) != 1) return 0;
  g->outer = l->of[SIZES][0];
  g->classes = l->of[SIZES][1];
  g->inner = l->of[SIZES][2];
  return native_product(l->of[SIZES], 3) == g->result.size;
}

static int types(const t2sda_op *op, size_t index) { return index == 0 ? 7 : 1; } // int64, float

NATIVE_OPERATOR(t2sda_scatter_labels, scatter, FEW_LISTS, "ScatterLabels", "axis of classes", 2, 1,
                .GetInputType = types, .GetInputCharacteristic = native_required, .GetOutputCharacteristic = native_required)
