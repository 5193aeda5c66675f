#include "native.h"

// LayerNormGrad: the gradients of LayerNormalization over the last axis by what it normalises, by its scale
// and by its bias. By ONNX's operators that is some ten passes over memory. The order of sums is not kept.
enum { MOST_PARTS = 64 }; // of a run: each has sums of its own

typedef struct {
  const t2sda_api *api;
  int64_t length;
  native_parts rows;
  native_shape result[3];
} norm_grad;

typedef struct {
  const norm_grad *grad;
  const float *dy, *x, *mean, *inverse, *scale;
  float *dx; // may be dy
  float *sums; // of each part, by scale and by bias
} run;

#define AT(p) (*(octet *)((p) + i))
#define OF(p) (*(const octet *)((p) + i))

// row computes dx of a row, and adds what it gives scale and bias to their sums.
ALWAYS void row(const float *dy, const float *x, float m, float r, const float *scale, int64_t n, float *dx, float *by_scale, float *by_bias) {
  octet sum = {0}, product = {0};
  int64_t i = 0;
  for (; i + WIDTH <= n; i += WIDTH) {
    const octet u = OF(dy) * OF(scale);
    sum += u, product += u * (OF(x) - m);
  }
  float a = 0, b = 0;
  for (int k = 0; k < WIDTH; k++) a += sum[k], b += product[k];
  for (; i < n; i++) a += dy[i] * scale[i], b += dy[i] * scale[i] * (x[i] - m);
  a /= (float)n, b = b / (float)n * (r * r);
  for (i = 0; i + WIDTH <= n; i += WIDTH) {
    const octet d = OF(dy), z = OF(x) - m;
    AT(by_scale) += d * z * r;
    AT(by_bias) += d;
    AT(dx) = r * (d * OF(scale) - z * b - a);
  }
  for (; i < n; i++) {
    const float d = dy[i], z = x[i] - m;
    by_scale[i] += d * z * r;
    by_bias[i] += d;
    dx[i] = r * (d * scale[i] - z * b - a);
  }
}

ALWAYS void part(const run *u, int64_t number) {
  const norm_grad *g = u->grad;
  const int64_t n = g->length, end = native_end(&g->rows, number);
  float *sums = u->sums + number * 2 * n;
  for (int64_t k = number * g->rows.group; k < end; k++)
    row(u->dy + k * n, u->x + k * n, u->mean[k], u->inverse[k], u->scale, n, u->dx + k * n, sums, sums + n);
}

NATIVE_TASK(part, const run *)

static void *compute(void *kernel, void *context) {
  const norm_grad *g = kernel;
  run u = {.grad = g};
  float *by_scale, *by_bias;
  const float **const operands[] = {&u.dy, &u.x, &u.mean, &u.inverse, &u.scale};
  float **const results[] = {&u.dx, &by_scale, &by_bias};
  void *status = NULL;
  for (int k = 0; k < 5 && !status; k++) status = native_operand(g->api, context, k, (const void **)operands[k]);
  for (int k = 0; k < 3 && !status; k++) status = native_result(g->api, context, k, g->result + k, results[k]);
  if (status) return status;
  const int64_t n = g->length, parts = native_count(&g->rows);
  if (!(u.sums = calloc(parts * 2 * n, sizeof *u.sums))) return g->api->CreateStatus(1, "out of memory");
  status = native_share_parts(g->api, context, part_task, &g->rows, &u, NULL);
  for (int64_t k = 1; k < parts; k++) // whichever thread had which part
    for (int64_t i = 0; i < 2 * n; i++) u.sums[i] += u.sums[k * 2 * n + i];
  memcpy(by_scale, u.sums, n * sizeof *by_scale);
  memcpy(by_bias, u.sums + n, n * sizeof *by_bias);
  free(u.sums);
  return status;
}

static void destroy(void *kernel) { free(kernel); }

// parse takes the length of a row, and the shapes of the results.
static int parse(void *kernel, const t2sda_api *api, native_lists *l) {
  norm_grad *g = kernel;
  g->api = api;
  if (l->n[SIZES] != 1 || native_shapes(l->of[RESULTS], l->n[RESULTS], g->result, 3) != 3) return 0;
  g->length = l->of[SIZES][0];
  if (g->length < 1 || g->result[0].size % g->length || g->result[1].size != g->length || g->result[2].size != g->length) return 0;
  g->rows = native_parts_of(g->result[0].size / g->length, g->length);
  const int64_t least = (g->rows.count + MOST_PARTS - 1) / MOST_PARTS;
  if (g->rows.group < least) g->rows.group = least;
  return 1;
}

NATIVE_OPERATOR(t2sda_layer_norm_grad, norm_grad, FEW_LISTS, "LayerNormGrad", "rows", 5, 3,
                .GetInputType = native_float32, .GetInputCharacteristic = native_required, .GetOutputCharacteristic = native_required,
                .GetMayInplace = native_first_inplace, .ReleaseMayInplace = native_release_inplace)
