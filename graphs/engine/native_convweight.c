#include "native_conv.h"

// DepthwiseWeightGrad: the gradient of a convolution of every channel by the channel's kernel. Each tap's is
// the sum of the products of the cotangent with what the tap sees. ONNX has no operator for it; what
// stands for one is several products and sums one after the other, whose order is not kept here.
enum {
  TAPS = 9,     // that are added up side by side
  ENOUGH = 1024 // about as many products are added up one after another
};

typedef int32_t mask __attribute__((vector_size(4 * WIDTH), aligned(4), may_alias));

typedef struct {
  const t2sda_api *api;
  int64_t images;
  conv_map map;
  native_shape result;
  native_parts channels;
} weight_grad;

typedef struct {
  const weight_grad *grad;
  const float *x, *dy;
  float *dw;
  int failed; // no memory; only ever set
} run;

#define ADD(seen, d) \
  _Pragma("GCC unroll 9") for (int k = 0; k < TAPS; k++) sum[k] += (seen) * (d)
#define SEEN(k) (*(const octet *)(x + offset[k] + i))

// taps adds the products of a padded map, at nine offsets, with a cotangent to total.
ALWAYS void taps(const conv_map *g, const float *x, const int64_t *offset, const float *dy, octet *total) {
  const int64_t rows = g->rows, columns = g->columns, step = g->stride[0] * g->line, rest = columns % WIDTH;
  const int64_t block = columns < ENOUGH ? ENOUGH / columns : 1;
  float last[WIDTH] = {0};
  mask there = {0}; // what is beyond the row's end may be no number
  for (int k = 0; k < rest; k++) there[k] = -1;
  for (int64_t row = 0; row < rows;) {
    octet sum[TAPS] = {{0}};
    for (const int64_t end = rows - row < block ? rows : row + block; row < end; row++, x += step, dy += columns) {
      int64_t i = 0;
      for (; i + WIDTH <= columns; i += WIDTH) {
        const octet d = *(const octet *)(dy + i);
        ADD(SEEN(k), d);
      }
      if (rest) {
        memcpy(last, dy + i, rest * sizeof *dy);
        const octet d = *(const octet *)last;
        ADD((octet)((mask)SEEN(k) & there), d);
      }
    }
    for (int k = 0; k < TAPS; k++) total[k] += sum[k];
  }
}

ALWAYS void channel(const run *u, int64_t c, float *padded) {
  const weight_grad *g = u->grad;
  const conv_map *at = &g->map;
  octet total[MOST_TAPS + TAPS] = {{0}};
  for (int64_t n = 0; n < g->images; n++) {
    const int64_t m = n * g->channels.count + c;
    conv_pad(at, u->x + m * at->height * at->width, padded);
    for (int k = 0; k < at->taps; k += TAPS) {
      int64_t offset[TAPS];
      for (int i = 0; i < TAPS; i++) offset[i] = k + i < at->taps ? at->offset[k + i] : 0;
      taps(at, padded, offset, u->dy + m * at->rows * at->columns, total + k);
    }
  }
  for (int k = 0; k < at->taps; k++) {
    float sum = 0;
    for (int i = 0; i < WIDTH; i++) sum += total[k][i];
    u->dw[c * at->taps + k] = sum;
  }
}

ALWAYS void part(run *u, int64_t number) {
  const weight_grad *g = u->grad;
  float *padded = conv_padded(&g->map);
  if (!padded) {
    __atomic_store_n(&u->failed, 1, __ATOMIC_RELAXED);
    return;
  }
  for (int64_t c = number * g->channels.group; c < native_end(&g->channels, number); c++) channel(u, c, padded);
  free(padded);
}

NATIVE_TASK(part, run *)

static void *compute(void *kernel, void *context) {
  const weight_grad *g = kernel;
  run u = {.grad = g};
  void *status = native_operand(g->api, context, 0, (const void **)&u.x);
  if (!status) status = native_operand(g->api, context, 1, (const void **)&u.dy);
  if (!status) status = native_result(g->api, context, 0, &g->result, &u.dw);
  return status ? status : native_share_parts(g->api, context, part_task, &g->channels, &u, &u.failed);
}

static void destroy(void *kernel) { free(kernel); }

// parse takes what conv_parse does, of the convolution; images, and rows and columns of the cotangent; and
// the shape of the result.
static int parse(void *kernel, const t2sda_api *api, native_lists *l) {
  weight_grad *g = kernel;
  const int64_t *s = l->of[SIZES];
  g->api = api;
  if (l->n[SIZES] != CONV_SIZES + 3 || native_shapes(l->of[RESULTS], l->n[RESULTS], &g->result, 1) != 1 || g->result.rank != 4) return 0;
  const int64_t *dims = g->result.dims;
  if (dims[1] != 1 || dims[2] != s[2] || dims[3] != s[3] || s[10] < 1 || s[10] > NATIVE_MOST || !conv_parse(&g->map, s, s[11], s[12])) return 0;
  g->images = s[10];
  g->channels = native_parts_of(dims[0], g->map.rows * g->map.columns);
  return 1;
}

NATIVE_OPERATOR(t2sda_depthwise_weight_grad, weight_grad, FEW_LISTS, "DepthwiseWeightGrad", "convolution", 2, 1,
                .GetInputType = native_float32, .GetInputCharacteristic = native_required, .GetOutputCharacteristic = native_required)
