#include "native.h"

// SoftmaxGrad: of y = softmax(x) over the last axis, y·dy − y·Σ(y·dy). By ONNX's operators products go
// to memory, come back to be added up, and come back once more. Their order of sums is kept (Eigen's sum of
// vectors of four, two of them side by side).
enum { QUAD = WIDTH / 2 };

typedef struct {
  const t2sda_api *api;
  int64_t length;
  native_parts rows;
  native_shape result;
} softmax_grad;

typedef struct {
  const softmax_grad *grad;
  const float *dy, *y;
  float *dx; // may be dy
} run;

// sum adds up the products of a row.
ALWAYS float sum(const float *y, const float *dy, int64_t n) {
  float quad[QUAD];
  if (n < WIDTH) {
    for (int k = 0; k < QUAD; k++) quad[k] = y[k] * dy[k];
  } else {
    octet pair = *(const octet *)y * *(const octet *)dy;
    int64_t i = WIDTH;
    for (; i + WIDTH <= n; i += WIDTH) pair += *(const octet *)(y + i) * *(const octet *)(dy + i);
    for (int k = 0; k < QUAD; k++) quad[k] = pair[k] + pair[QUAD + k];
    if (i < n)
      for (int k = 0; k < QUAD; k++) quad[k] += y[i + k] * dy[i + k];
  }
  return (quad[0] + quad[2]) + (quad[1] + quad[3]);
}

ALWAYS void part(const run *u, int64_t number) {
  const softmax_grad *g = u->grad;
  const int64_t n = g->length, end = native_end(&g->rows, number);
  for (int64_t row = number * g->rows.group; row < end; row++) {
    const float *y = u->y + row * n, *dy = u->dy + row * n;
    const float s = sum(y, dy, n);
    float *dx = u->dx + row * n;
    for (int64_t i = 0; i < n; i += QUAD) {
      float of[QUAD];
      for (int k = 0; k < QUAD; k++) of[k] = y[i + k] * dy[i + k] - y[i + k] * s;
      memcpy(dx + i, of, sizeof of);
    }
  }
}

NATIVE_TASK(part, const run *)

static void *compute(void *kernel, void *context) {
  const softmax_grad *g = kernel;
  run u = {.grad = g};
  void *status = native_operand(g->api, context, 0, (const void **)&u.dy);
  if (!status) status = native_operand(g->api, context, 1, (const void **)&u.y);
  if (!status) status = native_result(g->api, context, 0, &g->result, &u.dx);
  return status ? status : native_share_parts(g->api, context, part_task, &g->rows, &u, NULL);
}

static void destroy(void *kernel) { free(kernel); }

// parse takes the length of a row, whole vectors of four, and the shape of the result.
static int parse(void *kernel, const t2sda_api *api, native_lists *l) {
  softmax_grad *g = kernel;
  g->api = api;
  if (l->n[SIZES] != 1 || native_shapes(l->of[RESULTS], l->n[RESULTS], &g->result, 1) != 1) return 0;
  g->length = l->of[SIZES][0];
  if (g->length < QUAD || g->length % QUAD || g->result.size % g->length) return 0;
  g->rows = native_parts_of(g->result.size / g->length, g->length);
  return 1;
}

NATIVE_OPERATOR(t2sda_softmax_grad, softmax_grad, FEW_LISTS, "SoftmaxGrad", "rows", 2, 1,
                .GetInputType = native_float32, .GetInputCharacteristic = native_required, .GetOutputCharacteristic = native_required,
                .GetMayInplace = native_first_inplace, .ReleaseMayInplace = native_release_inplace)
