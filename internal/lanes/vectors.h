#ifndef T2SDA_VECTORS_H
#define T2SDA_VECTORS_H

#include <stddef.h>

// n is a multiple of 8 in all of them; lanes.go says what they do.
void t2sda_adamw_vectors(float *p, const float *g, float *m, float *v, size_t n, float beta1, float beta2, float eps, float new1,
                         float new2, float grad, float keep, float rate, float rsqrt_c);
void t2sda_blend_vectors(float *dst, const float *src, size_t n, float a, float b);

#endif
