#include "native_conv.h"

// DepthwiseConv: a convolution of every channel with a kernel of its own. ONNX Runtime copies each map
// once per tap and multiplies a row with that matrix. Its order of sums is kept (MLAS, the kernel of one row):
// products of four taps are added up, then what came before them; the rest by two and one.
typedef struct {
  const t2sda_api *api;
  int64_t channels;
  conv_map map;
  native_shape result;
  native_parts maps;
} conv;

typedef struct {
  const conv *conv;
  const float *x, *w, *bias;
  float *y;
  int failed; // no memory; only ever set
} run;

#define TAP(k) (*(const octet *)(x + offset[k]) * w[k])

// taps computes n results side by side.
ALWAYS void taps(const float *x, const int64_t *offset, const float *w, const float *bias, float *y, int64_t n, int count) {
  octet sum = {0}; // where it is added, −0 becomes 0
  int k = 0;
  for (; k + 4 <= count; k += 4) sum = TAP(k) + TAP(k + 1) + TAP(k + 2) + TAP(k + 3) + sum;
  if (count & 2) sum = TAP(k) + TAP(k + 1) + sum, k += 2;
  if (count & 1) sum = TAP(k) + sum;
  if (bias) sum += *bias;
  if (n == WIDTH)
    *(octet *)y = sum;
  else
    memcpy(y, &sum, n * sizeof *y);
}

// map computes the results of a padded map. It has offsets and weights to itself: what it writes cannot
// change them, so they stay in registers.
ALWAYS void map(const conv_map *g, const float *x, const float *weights, const float *bias, float *y, int count) {
  int64_t offset[MOST_TAPS];
  float w[MOST_TAPS], b = bias ? *bias : 0;
  for (int k = 0; k < count; k++) offset[k] = g->offset[k], w[k] = weights[k];
  const int64_t rows = g->rows, columns = g->columns, step = g->stride[0] * g->line;
  for (int64_t row = 0; row < rows; row++, x += step, y += columns) {
    int64_t i = 0;
    for (; i + WIDTH <= columns; i += WIDTH) taps(x + i, offset, w, bias ? &b : NULL, y + i, WIDTH, count);
    if (i < columns) taps(x + i, offset, w, bias ? &b : NULL, y + i, columns - i, count);
  }
}

ALWAYS void part(run *u, int64_t number) {
  const conv *g = u->conv;
  const conv_map *at = &g->map;
  float *padded = conv_padded(at);
  if (!padded) {
    __atomic_store_n(&u->failed, 1, __ATOMIC_RELAXED);
    return;
  }
  for (int64_t m = number * g->maps.group; m < native_end(&g->maps, number); m++) {
    const int64_t c = m % g->channels;
    const float *w = u->w + c * at->taps, *bias = u->bias ? u->bias + c : NULL;
    float *y = u->y + m * at->rows * at->columns;
    conv_pad(at, u->x + m * at->height * at->width, padded);
    if (at->taps == 9)
      map(at, padded, w, bias, y, 9);
    else
      map(at, padded, w, bias, y, at->taps);
  }
  free(padded);
}

NATIVE_TASK(part, run *)

static void *compute(void *kernel, void *context) {
  const conv *g = kernel;
  run u = {.conv = g};
  size_t operands;
  void *status = g->api->KernelContext_GetInputCount(context, &operands);
  if (!status) status = native_operand(g->api, context, 0, (const void **)&u.x);
  if (!status) status = native_operand(g->api, context, 1, (const void **)&u.w);
  if (!status && operands > 2) status = native_operand(g->api, context, 2, (const void **)&u.bias);
  if (!status) status = native_result(g->api, context, 0, &g->result, &u.y);
  return status ? status : native_share_parts(g->api, context, part_task, &g->maps, &u, &u.failed);
}

static void destroy(void *kernel) { free(kernel); }

// parse takes what conv_parse does, and the shape of the result.
static int parse(void *kernel, const t2sda_api *api, native_lists *l) {
  conv *g = kernel;
  g->api = api;
  if (l->n[SIZES] != CONV_SIZES || native_shapes(l->of[RESULTS], l->n[RESULTS], &g->result, 1) != 1 || g->result.rank != 4) return 0;
  if (!conv_parse(&g->map, l->of[SIZES], g->result.dims[2], g->result.dims[3])) return 0;
  g->channels = g->result.dims[1];
  g->maps = native_maps_of(&g->result);
  return 1;
}

static int bias_optional(const t2sda_op *op, size_t index) { return index == 2; }

NATIVE_OPERATOR(t2sda_depthwise_conv, conv, FEW_LISTS, "DepthwiseConv", "convolution", 3, 1, .GetInputType = native_float32,
                .GetInputCharacteristic = bias_optional, .GetOutputCharacteristic = native_required)
