// Depthwise convolutions and the gradients by their weights: a map among zeros, and where its taps lie.
#ifndef T2SDA_NATIVE_CONV_H
#define T2SDA_NATIVE_CONV_H

#include "native.h"

enum { MOST_TAPS = 49, CONV_SIZES = 10 }; // 7×7

// Nine taps and what is added up have room in the processor's 16 vectors of WIDTH. In vectors of LANES, two
// of the processor's each, they had none, and it took three times as long.

typedef struct {
  int64_t height, width, rows, columns; // of the input; of the results
  int64_t stride[2], before[2];
  int64_t padded, phase, line; // rows of a padded map; elements of a phase of a row, and of a row
  int taps;
  int64_t offset[MOST_TAPS]; // of a tap in the padded map
} conv_map;

// conv_padded returns zeros for a padded map; a last vector reads beyond.
static inline float *conv_padded(const conv_map *g) { return calloc(g->padded * g->line + WIDTH, sizeof(float)); }

// conv_pad copies a map into its place among zeros. A row is as many phases as the stride has, so that
// what neighbours multiply with one tap lies side by side.
ALWAYS void conv_pad(const conv_map *g, const float *x, float *to) {
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

// conv_parse takes height and width of the input; kernel, strides, dilations and zeros before, vertical and
// horizontal; and how many rows and columns of results there are.
static inline int conv_parse(conv_map *g, const int64_t *s, int64_t rows, int64_t columns) {
  for (int k = 0; k < CONV_SIZES; k++)
    if (s[k] < (k < 8 ? 1 : 0) || s[k] > NATIVE_MOST) return 0;
  if (s[2] * s[3] > MOST_TAPS || rows < 1 || rows > NATIVE_MOST || columns < 1 || columns > NATIVE_MOST) return 0;
  const int64_t *kernel = s + 2, *stride = s + 4, *dilation = s + 6;
  g->height = s[0], g->width = s[1], g->rows = rows, g->columns = columns;
  memcpy(g->stride, stride, sizeof g->stride);
  memcpy(g->before, s + 8, sizeof g->before);
  g->taps = (int)(kernel[0] * kernel[1]);
  g->padded = (rows - 1) * stride[0] + (kernel[0] - 1) * dilation[0] + 1;
  g->phase = columns + (kernel[1] - 1) * dilation[1] / stride[1];
  if (g->phase > NATIVE_MOST) return 0;
  g->line = g->phase * stride[1];
  if (g->padded > NATIVE_MOST / g->line) return 0;
  for (int k = 0; k < g->taps; k++) {
    const int64_t column = k % kernel[1] * dilation[1];
    g->offset[k] = k / kernel[1] * dilation[0] * g->line + column % stride[1] * g->phase + column / stride[1];
  }
  return 1;
}

#endif
