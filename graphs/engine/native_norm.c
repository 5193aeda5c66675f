#include "native.h"

#include <math.h>

// LayerNormalization over the last axis. ONNX Runtime takes mean and variance by Welford's method (B. P.
// Welford, "Note on a Method for Calculating Corrected Sums of Squares and Products", 1962), element
// by element, and waits for each quotient before the next; here the rows of a vector go side by side,
// each in that order. Where bits may be others, mean and variance are sums over a row, one after the other.
enum { PART = 8 * LANES };

typedef struct {
  const t2sda_api *api;
  int64_t rows, length;
  float epsilon;
  int exact;
  native_shape result[3];
} norm;

typedef struct {
  const norm *norm;
  const float *x, *scale, *bias;
  float *y, *mean, *inverse;
} run;

// moments returns the mean of rows, and the sum of the squares of what they differ from it.
ALWAYS void moments(const float *x, int64_t length, int rows, float *mean, float *squares) {
  vector m = {0}, q = {0};
  for (int64_t from = 0; from < length; from += LANES) {
    const int columns = length - from < LANES ? (int)(length - from) : LANES;
    float tile[LANES][LANES]; // a column of each row
    for (int r = 0; r < LANES; r++)
      for (int c = 0; c < columns; c++) tile[c][r] = x[(r < rows ? r : 0) * length + from + c];
    for (int c = 0; c < columns; c++) {
      const vector v = *(const vector *)tile[c], d = v - m;
      m += d / (float)(from + c + 1);
      q += d * (v - m);
    }
  }
  *(vector *)mean = m;
  *(vector *)squares = q;
}

// quick is the whole of a row by two sums.
ALWAYS void quick(const run *u, int64_t row) {
  const int64_t n = u->norm->length;
  const float *x = u->x + row * n;
  float *y = u->y + row * n, m = 0, q = 0;
  octet sum = {0}, squares = {0};
  int64_t i = 0;
  for (; i + WIDTH <= n; i += WIDTH) sum += *(const octet *)(x + i);
  for (int k = 0; k < WIDTH; k++) m += sum[k];
  for (; i < n; i++) m += x[i];
  m /= (float)n;
  for (i = 0; i + WIDTH <= n; i += WIDTH) {
    const octet d = *(const octet *)(x + i) - m;
    squares += d * d;
  }
  for (int k = 0; k < WIDTH; k++) q += squares[k];
  for (; i < n; i++) q += (x[i] - m) * (x[i] - m);
  const float r = 1 / sqrtf(q / (float)n + u->norm->epsilon);
  for (i = 0; i + WIDTH <= n; i += WIDTH)
    *(octet *)(y + i) = (*(const octet *)(x + i) - m) * r * *(const octet *)(u->scale + i) + *(const octet *)(u->bias + i);
  for (; i < n; i++) y[i] = (x[i] - m) * r * u->scale[i] + u->bias[i];
  u->mean[row] = m;
  u->inverse[row] = r;
}

ALWAYS void part(const run *u, int64_t number) {
  const norm *g = u->norm;
  const int64_t n = g->length, end = (number + 1) * PART < g->rows ? (number + 1) * PART : g->rows;
  if (!g->exact) {
    for (int64_t row = number * PART; row < end; row++) quick(u, row);
    return;
  }
  for (int64_t row = number * PART; row < end; row += LANES) {
    const int rows = end - row < LANES ? (int)(end - row) : LANES;
    float mean[LANES], squares[LANES];
    moments(u->x + row * n, n, rows, mean, squares);
    for (int r = 0; r < rows; r++) {
      const float *x = u->x + (row + r) * n;
      float *y = u->y + (row + r) * n;
      const float m = mean[r], d = sqrtf(squares[r] / (float)n + g->epsilon);
      for (int64_t i = 0; i < n; i++) y[i] = (x[i] - m) / d * u->scale[i] + u->bias[i];
      u->mean[row + r] = m;
      u->inverse[row + r] = 1 / d;
    }
  }
}

NATIVE_TASK(part, const run *)

static void *compute(void *kernel, void *context) {
  const norm *g = kernel;
  run u = {.norm = g};
  const float **const operands[] = {&u.x, &u.scale, &u.bias};
  float **const results[] = {&u.y, &u.mean, &u.inverse};
  void *status = NULL;
  for (int k = 0; k < 3 && !status; k++) status = native_operand(g->api, context, k, (const void **)operands[k]);
  for (int k = 0; k < 3 && !status; k++) status = native_result(g->api, context, k, g->result + k, results[k]);
  return status ? status : native_share(g->api, context, part_task, (g->rows + PART - 1) / PART, &u);
}

static void destroy(void *kernel) { free(kernel); }

// parse takes rows, length of a row, bits of epsilon, whether bits are ONNX Runtime's, and the shapes of the
// results.
static int parse(void *kernel, const t2sda_api *api, native_lists *l) {
  norm *g = kernel;
  g->api = api;
  if (l->n[SIZES] != 4 || native_shapes(l->of[RESULTS], l->n[RESULTS], g->result, 3) != 3) return 0;
  const int32_t bits = (int32_t)l->of[SIZES][2];
  g->rows = l->of[SIZES][0];
  g->length = l->of[SIZES][1];
  g->exact = l->of[SIZES][3] != 0;
  memcpy(&g->epsilon, &bits, sizeof bits);
  return g->length > 0 && g->result[0].size / g->length == g->rows && g->result[0].size % g->length == 0 &&
         g->result[1].size == g->rows && g->result[2].size == g->rows;
}

NATIVE_OPERATOR(t2sda_layer_norm, norm, FEW_LISTS, "LayerNormalization", "rows", 3, 3,
                .GetInputType = native_float32, .GetInputCharacteristic = native_required, .GetOutputCharacteristic = native_required)
