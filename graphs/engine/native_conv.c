#include "native.h"

// DepthwiseConv: a convolution of every channel with a kernel of its own. ONNX Runtime copies each map
// once per tap and multiplies a row with that matrix. Its order of sums is kept (MLAS, the kernel of one row):
// products of four taps are added up, then what came before them; the rest by two and one.
enum { MOST_TAPS = 49 }; // 7×7

// Vectors of eight: weights of nine taps and what is added up have room in the processor's 16 of that size.
// With vectors of sixteen, two of the processor's each, they had none, and it took three times as long.
enum { WIDTH = 8 };
typedef float octet __attribute__((vector_size(4 * WIDTH), aligned(4), may_alias));

typedef struct {
  const t2sda_api *api;
  int64_t channels, height, width, rows, columns; // of the input; of the results
  int64_t kernel[2], stride[2], dilation[2], before[2];
  int64_t padded, phase, line; // rows of a padded map; elements of a phase of a row, and of a row
  int taps;
  int64_t offset[MOST_TAPS]; // of a tap in the padded map
  native_shape result;
  native_maps maps;
} conv;

typedef struct {
  const conv *conv;
  const float *x, *w, *bias;
  float *y;
  int failed; // no memory; only ever set
} run;

// pad copies a map into its place among zeros. A row is as many phases as the stride has, so that what
// neighbours multiply with one tap lies side by side.
ALWAYS void pad(const conv *g, const float *x, float *to) {
  const int64_t s = g->stride[1], left = g->before[1];
  for (int64_t i = 0; i < g->height && i + g->before[0] < g->padded; i++, x += g->width) {
    float *row = to + (i + g->before[0]) * g->line;
    for (int64_t first = 0; first < s && first < g->width; first++) {
      const int64_t place = (first + left) / s, room = g->phase - place; // of a phase, which may end before it
      const int64_t there = (g->width - first + s - 1) / s, n = there < room ? there : room;
      if (n <= 0) continue;
      float *phase = row + (first + left) % s * g->phase + place;
      if (s == 1)
        memcpy(phase, x, n * sizeof *x);
      else
        for (int64_t k = 0; k < n; k++) phase[k] = x[first + k * s];
    }
  }
}

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
ALWAYS void map(const conv *g, const float *x, const float *weights, const float *bias, float *y, int count) {
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
  float *padded = calloc(g->padded * g->line + WIDTH, sizeof *padded); // a last vector reads beyond
  if (!padded) {
    __atomic_store_n(&u->failed, 1, __ATOMIC_RELAXED);
    return;
  }
  for (int64_t m = number * g->maps.group; m < native_end(&g->maps, number); m++) {
    const int64_t c = m % g->channels;
    const float *w = u->w + c * g->taps, *bias = u->bias ? u->bias + c : NULL;
    float *y = u->y + m * g->rows * g->columns;
    pad(g, u->x + m * g->height * g->width, padded);
    if (g->taps == 9)
      map(g, padded, w, bias, y, 9);
    else
      map(g, padded, w, bias, y, g->taps);
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
  return status ? status : native_share_maps(g->api, context, part_task, &g->maps, &u, &u.failed);
}

static void destroy(void *kernel) { free(kernel); }

// parse takes height and width of the input; kernel, strides, dilations and zeros before, vertical and
// horizontal; and the shape of the result.
static int parse(void *kernel, const t2sda_api *api, native_lists *l) {
  conv *g = kernel;
  const int64_t *s = l->of[SIZES];
  g->api = api;
  if (l->n[SIZES] != 10 || native_shapes(l->of[RESULTS], l->n[RESULTS], &g->result, 1) != 1 || g->result.rank != 4) return 0;
  for (int k = 0; k < 10; k++)
    if (s[k] < (k < 8 ? 1 : 0) || s[k] > NATIVE_MOST) return 0;
  g->height = s[0], g->width = s[1];
  memcpy(g->kernel, s + 2, sizeof g->kernel);
  memcpy(g->stride, s + 4, sizeof g->stride);
  memcpy(g->dilation, s + 6, sizeof g->dilation);
  memcpy(g->before, s + 8, sizeof g->before);
  g->channels = g->result.dims[1], g->rows = g->result.dims[2], g->columns = g->result.dims[3];
  if (g->kernel[0] * g->kernel[1] > MOST_TAPS || g->rows > NATIVE_MOST || g->columns > NATIVE_MOST) return 0;
  g->taps = (int)(g->kernel[0] * g->kernel[1]);
  g->padded = (g->rows - 1) * g->stride[0] + (g->kernel[0] - 1) * g->dilation[0] + 1;
  g->phase = g->columns + (g->kernel[1] - 1) * g->dilation[1] / g->stride[1];
  if (g->phase > NATIVE_MOST) return 0;
  g->line = g->phase * g->stride[1];
  if (g->padded > NATIVE_MOST / g->line) return 0;
  for (int k = 0; k < g->taps; k++) {
    const int64_t column = k % g->kernel[1] * g->dilation[1];
    g->offset[k] = k / g->kernel[1] * g->dilation[0] * g->line + column % g->stride[1] * g->phase + column / g->stride[1];
  }
  g->maps = native_maps_of(&g->result);
  return 1;
}

static int bias_optional(const t2sda_op *op, size_t index) { return index == 2; }

NATIVE_OPERATOR(t2sda_depthwise_conv, conv, FEW_LISTS, "DepthwiseConv", "convolution", 3, 1, .GetInputType = native_float32,
                .GetInputCharacteristic = bias_optional, .GetOutputCharacteristic = native_required)
