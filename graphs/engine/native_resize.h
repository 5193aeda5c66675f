// Bilinear sampling of maps at another size, with half-pixel centres, and its gradient: where results lie.
#ifndef T2SDA_NATIVE_RESIZE_H
#define T2SDA_NATIVE_RESIZE_H

#include "native.h"

#include <math.h>

typedef struct {
  int64_t height, width, rows, columns; // of what is sampled; of the result
  // Of a row, then of a column of the result: the two of the input that it lies between, and how far it
  // is from each.
  int32_t *first, *second;
  float *from_first, *from_second;
} resize_places;

// resize_between finds where n results lie among the elements of an axis, in float32 as ONNX Runtime does.
static inline void resize_between(resize_places *g, int64_t at, int64_t size, int64_t n) {
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

// resize_parse takes both sizes; 0 where there are none, or no memory.
static inline int resize_parse(resize_places *g, int64_t height, int64_t width, int64_t rows, int64_t columns) {
  const int64_t sides[] = {height, width, rows, columns};
  for (int k = 0; k < 4; k++)
    if (sides[k] < 1 || sides[k] > NATIVE_MOST) return 0;
  g->height = height, g->width = width, g->rows = rows, g->columns = columns;
  const size_t n = rows + columns;
  g->first = malloc(n * sizeof *g->first);
  g->second = malloc(n * sizeof *g->second);
  g->from_first = malloc(n * sizeof *g->from_first);
  g->from_second = malloc(n * sizeof *g->from_second);
  if (!g->first || !g->second || !g->from_first || !g->from_second) return 0;
  resize_between(g, 0, height, rows);
  resize_between(g, rows, width, columns);
  return 1;
}

static inline void resize_free(resize_places *g) {
  free(g->first);
  free(g->second);
  free(g->from_first);
  free(g->from_second);
}

#endif
