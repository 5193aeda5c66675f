#include "native_resize.h"

// ResizeLinear: maps sampled at another size, bilinearly, with half-pixel centres. ONNX Runtime fetches
// four elements for each result; here a row of the input is spread out once for all the rows of the
// result that it has a part in. Its order of products and sums is kept.
typedef struct {
  const t2sda_api *api;
  resize_places places;
  native_shape result;
  native_parts maps;
} resize;

typedef struct {
  const resize *resize;
  const float *x;
  float *y;
  int failed; // no memory; only ever set
} run;

// spread fetches, for every column of the result, the two elements of a row that it lies between.
ALWAYS void spread(const resize_places *g, const float *row, float *to) {
  const int64_t n = g->columns;
  const int32_t *first = g->first + g->rows, *second = g->second + g->rows;
  for (int64_t i = 0; i < n; i++) to[i] = row[first[i]];
  for (int64_t i = 0; i < n; i++) to[n + i] = row[second[i]];
}

ALWAYS void map(const resize_places *g, const float *x, float *y, float *scratch) {
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
  const native_parts *maps = &u->resize->maps;
  const resize_places *g = &u->resize->places;
  const int64_t from = g->height * g->width, to = g->rows * g->columns;
  float *scratch = malloc(4 * g->columns * sizeof *scratch);
  if (!scratch) {
    __atomic_store_n(&u->failed, 1, __ATOMIC_RELAXED);
    return;
  }
  for (int64_t m = number * maps->group; m < native_end(maps, number); m++) map(g, u->x + m * from, u->y + m * to, scratch);
  free(scratch);
}

NATIVE_TASK(part, run *)

static void *compute(void *kernel, void *context) {
  const resize *g = kernel;
  run u = {.resize = g};
  void *status = native_operand(g->api, context, 0, (const void **)&u.x);
  if (!status) status = native_result(g->api, context, 0, &g->result, &u.y);
  return status ? status : native_share_parts(g->api, context, part_task, &g->maps, &u, &u.failed);
}

static void destroy(void *kernel) {
  resize_free(&((resize *)kernel)->places);
  free(kernel);
}

// parse takes height and width of the input, and the shape of the result.
static int parse(void *kernel, const t2sda_api *api, native_lists *l) {
  resize *g = kernel;
  const int64_t *s = l->of[SIZES];
  g->api = api;
  if (l->n[SIZES] != 2 || native_shapes(l->of[RESULTS], l->n[RESULTS], &g->result, 1) != 1 || g->result.rank != 4) return 0;
  g->maps = native_maps_of(&g->result);
  return resize_parse(&g->places, s[0], s[1], g->result.dims[2], g->result.dims[3]);
}

NATIVE_OPERATOR(t2sda_resize_linear, resize, FEW_LISTS, "ResizeLinear", "maps", 1, 1,
                .GetInputType = native_float32, .GetInputCharacteristic = native_required, .GetOutputCharacteristic = native_required)
