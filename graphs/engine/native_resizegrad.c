#include "native_resize.h"

// ResizeGrad: the gradient of bilinear sampling: each element of the cotangent goes to the four that it
// was made of. By ONNX's operators that is a product with a matrix for each axis, which is nearly all
// zeros. The order of sums is not kept.
typedef struct {
  const t2sda_api *api;
  resize_places places;
  native_shape result;
  native_parts maps;
} resize_grad;

typedef struct {
  const resize_grad *grad;
  const float *dy;
  float *dx;
  int failed; // no memory; only ever set
} run;

// down adds the cotangent's rows to those that they lie between.
ALWAYS void down(const resize_places *g, const float *dy, float *to) {
  const int64_t n = g->columns;
  memset(to, 0, g->height * n * sizeof *to);
  for (int64_t row = 0; row < g->rows; row++, dy += n) {
    float *a = to + g->first[row] * n, *b = to + g->second[row] * n;
    const float above = g->from_second[row], below = g->from_first[row];
    int64_t i = 0;
    for (; i + WIDTH <= n; i += WIDTH) {
      const octet d = *(const octet *)(dy + i);
      *(octet *)(a + i) += above * d;
      *(octet *)(b + i) += below * d;
    }
    for (; i < n; i++) a[i] += above * dy[i], b[i] += below * dy[i];
  }
}

// across adds the columns of some rows to those that they lie between, all rows side by side.
ALWAYS void across(const resize_places *g, const float *x, int rows, float *dx, octet *to) {
  const int64_t n = g->columns;
  const int32_t *first = g->first + g->rows, *second = g->second + g->rows;
  const float *near = g->from_second + g->rows, *far = g->from_first + g->rows;
  const float *row[WIDTH];
  for (int k = 0; k < WIDTH; k++) row[k] = x + (k < rows ? k : 0) * n;
  memset(to, 0, g->width * sizeof *to);
  for (int64_t i = 0; i < n;) {
    octet a = {0}, b = {0};
    const int64_t at = i;
    for (; i < n && first[i] == first[at]; i++) { // between the same two, but at the end
      const octet c = {row[0][i], row[1][i], row[2][i], row[3][i], row[4][i], row[5][i], row[6][i], row[7][i]};
      a += near[i] * c;
      b += far[i] * c;
    }
    to[first[at]] += a;
    to[second[at]] += b;
  }
  for (int k = 0; k < rows; k++)
    for (int64_t i = 0; i < g->width; i++) dx[k * g->width + i] = to[i][k];
}

ALWAYS void part(run *u, int64_t number) {
  const native_parts *maps = &u->grad->maps;
  const resize_places *g = &u->grad->places;
  float *sums = malloc(g->height * g->columns * sizeof *sums);
  octet *side = malloc(g->width * sizeof *side);
  if (!sums || !side) __atomic_store_n(&u->failed, 1, __ATOMIC_RELAXED);
  for (int64_t m = number * maps->group; sums && side && m < native_end(maps, number); m++) {
    float *dx = u->dx + m * g->height * g->width;
    down(g, u->dy + m * g->rows * g->columns, sums);
    for (int64_t row = 0; row < g->height; row += WIDTH) {
      const int rows = g->height - row < WIDTH ? (int)(g->height - row) : WIDTH;
      across(g, sums + row * g->columns, rows, dx + row * g->width, side);
    }
  }
  free(sums);
  free(side);
}

NATIVE_TASK(part, run *)

static void *compute(void *kernel, void *context) {
  const resize_grad *g = kernel;
  run u = {.grad = g};
  void *status = native_operand(g->api, context, 0, (const void **)&u.dy);
  if (!status) status = native_result(g->api, context, 0, &g->result, &u.dx);
  return status ? status : native_share_parts(g->api, context, part_task, &g->maps, &u, &u.failed);
}

static void destroy(void *kernel) {
  resize_free(&((resize_grad *)kernel)->places);
  free(kernel);
}

// parse takes rows and columns of the cotangent, and the shape of the result.
static int parse(void *kernel, const t2sda_api *api, native_lists *l) {
  resize_grad *g = kernel;
  const int64_t *s = l->of[SIZES];
  g->api = api;
  if (l->n[SIZES] != 2 || native_shapes(l->of[RESULTS], l->n[RESULTS], &g->result, 1) != 1 || g->result.rank != 4) return 0;
  const int64_t *dims = g->result.dims;
  if (!resize_parse(&g->places, dims[2], dims[3], s[0], s[1]) || dims[2] > NATIVE_MOST / s[1]) return 0;
  g->maps = native_parts_of(dims[0] * dims[1], s[0] * s[1]);
  return 1;
}

NATIVE_OPERATOR(t2sda_resize_grad, resize_grad, FEW_LISTS, "ResizeGrad", "maps", 1, 1,
                .GetInputType = native_float32, .GetInputCharacteristic = native_required, .GetOutputCharacteristic = native_required)
