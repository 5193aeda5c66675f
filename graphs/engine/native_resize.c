#include "native.h"

#include <math.h>

// ResizeLinear: maps sampled at another size, bilinearly, with half-pixel centres. ONNX Runtime fetches
// four elements for each result; here a row of the input is spread out once for all the rows of the
// result that it has a part in. Its order of products and sums is kept.
typedef struct {
  const t2sda_api *api;
  int64_t height, width, rows, columns; // of the input; of the result
  // Of a row, then of a column of the result: the two of the input that it lies between, and how far it
  // is from each.
  int32_t *first, *second;
  float *from_first, *from_second;
  native_shape result;
  native_maps maps;
} resize;

typedef struct {
  const resize *resize;
  const float *x;
  float *y;
  int failed; // no memory; only ever set
} run;

// spread fetches, for every column of the result, the two elements of a row that it lies between.
ALWAYS void spread(const resize *g, const float *row, float *to) {
  const int64_t n = g->columns;
  const int32_t *first = g->first + g->rows, *second = g->second + g->rows;
  for (int64_t i = 0; i < n; i++) to[i] = row[first[i]];
  for (int64_t i = 0; i < n; i++) to[n + i] = row[second[i]];
}

ALWAYS void map(const resize *g, const float *x, float *y, float *scratch) {
  const int64_t n = g->columns;
  const float *near = g->from_second + g->rows, *far = g->from_first + g->rows; // factors of a row's first and second element
  int64_t held[2] = {-1, -1};
  for (int64_t row = 0; row < g->rows; row++, y += n) {
    const float *spread_out[2];
    for (int k = 0; k < 2; k++) {
      const int64_t from = (k ? g->second : g->first)[row];
      float *to = scratch + from % 2 * 2 * n; // neighbours have a place each
      if (held[from % 2] != from) spread(g, x + from * g->width, to);
      held[from % 2] = from;
      spread_out[k] = to;
    }
    const float *a = spread_out[0], *b = spread_out[1];
    const float above = g->from_second[row], below = g->from_first[row];
    for (int64_t i = 0; i < n; i++)
      y[i] = near[i] * above * a[i] + far[i] * above * a[n + i] + near[i] * below * b[i] + far[i] * below * b[n + i];
  }
}

ALWAYS void part(run *u, int64_t number) {
  const resize *g = u->resize;
  const int64_t from = g->height * g->width, to = g->rows * g->columns;
  float *scratch = malloc(4 * g->columns * sizeof *scratch);
  if (!scratch) {
    __atomic_store_n(&u->failed, 1, __ATOMIC_RELAXED);
    return;
  }
  for (int64_t m = number * g->maps.group; m < native_end(&g->maps, number); m++) map(g, u->x + m * from, u->y + m * to, scratch);
  free(scratch);
}

NATIVE_TASK(part, run *)

static void *compute(void *kernel, void *context) {
  const resize *g = kernel;
  run u = {.resize = g};
  void *status = native_operand(g->api, context, 0, (const void **)&u.x);
  if (!status) status = native_result(g->api, context, 0, &g->result, &u.y);
  return status ? status : native_share_maps(g->api, context, part_task, &g->maps, &u, &u.failed);
}

static void destroy(void *kernel) {
  resize *g = kernel;
  free(g->first);
  free(g->second);
  free(g->from_first);
  free(g->from_second);
  free(g);
}

// between finds where n results lie among the elements of an axis, in float32 as ONNX Runtime does.
static void between(resize *g, int64_t at, int64_t size, int64_t n) {
  const float scale = (float)n / (float)size;
  for (int64_t i = 0; i < n; i++, at++) {
    float place = scale == 1 ? (float)i : ((float)i + 0.5f) / scale - 0.5f;
    place = fmaxf(0, fminf(place, (float)(size - 1)));
    const int32_t first = (int32_t)place, second = first + 1 < size ? first + 1 : first;
    g->first[at] = first;
    g->second[at] = second;
    g->from_first[at] = first == second ? 0.5f : fabsf(place - (float)first);
    g->from_second[at] = first == second ? 0.5f : fabsf(place - (float)second);
  }
}

// parse takes height and width of the input, and the shape of the result.
static int parse(void *kernel, const t2sda_api *api, native_lists *l) {
  resize *g = kernel;
  g->api = api;
  if (l->n[SIZES] != 2 || native_shapes(l->of[RESULTS], l->n[RESULTS], &g->result, 1) != 1 || g->result.rank != 4) return 0;
  g->height = l->of[SIZES][0], g->width = l->of[SIZES][1];
  g->rows = g->result.dims[2], g->columns = g->result.dims[3];
  if (g->height < 1 || g->width < 1 || g->height > NATIVE_MOST || g->width > NATIVE_MOST) return 0;
  if (g->rows > NATIVE_MOST || g->columns > NATIVE_MOST) return 0;
  const size_t n = g->rows + g->columns;
  g->first = malloc(n * sizeof *g->first);
  g->second = malloc(n * sizeof *g->second);
  g->from_first = malloc(n * sizeof *g->from_first);
  g->from_second = malloc(n * sizeof *g->from_second);
  if (!g->first || !g->second || !g->from_first || !g->from_second) return 0;
  between(g, 0, g->height, g->rows);
  between(g, g->rows, g->width, g->columns);
  g->maps = native_maps_of(&g->result);
  return 1;
}

NATIVE_OPERATOR(t2sda_resize_linear, resize, FEW_LISTS, "ResizeLinear", "maps", 1, 1,
                .GetInputType = native_float32, .GetInputCharacteristic = native_required, .GetOutputCharacteristic = native_required)
