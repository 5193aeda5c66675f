// A product and a sum stay two roundings, whatever the compiler is told.
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")
#endif

#include "vectors.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define AVX2 __attribute__((target("avx2")))

#define ALL(x) _mm256_set1_ps(x)
#define LOAD(from) _mm256_loadu_ps(from)
#define STORE(to, x) _mm256_storeu_ps(to, x)
#define ADD(a, b) _mm256_add_ps(a, b)
#define SUB(a, b) _mm256_sub_ps(a, b)
#define MUL(a, b) _mm256_mul_ps(a, b)
#define DIV(a, b) _mm256_div_ps(a, b)
#define SQRT(a) _mm256_sqrt_ps(a)

AVX2 void t2sda_adamw_vectors(float *p, const float *g, float *m, float *v, size_t n, float beta1, float beta2, float eps, float new1,
                              float new2, float grad, float keep, float rate, float rsqrt_c) {
  for (size_t i = 0; i < n; i += 8) {
    const __m256 x = LOAD(p + i), d = MUL(LOAD(g + i), ALL(grad));
    const __m256 mean = ADD(MUL(ALL(beta1), LOAD(m + i)), MUL(ALL(new1), d));
    const __m256 square = ADD(MUL(ALL(beta2), LOAD(v + i)), MUL(MUL(ALL(new2), d), d));
    const __m256 root = MUL(SQRT(square), ALL(rsqrt_c));
    STORE(p + i, SUB(MUL(x, ALL(keep)), DIV(MUL(ALL(rate), mean), ADD(root, ALL(eps)))));
    STORE(m + i, mean);
    STORE(v + i, square);
  }
}

AVX2 void t2sda_blend_vectors(float *dst, const float *src, size_t n, float a, float b) {
  for (size_t i = 0; i < n; i += 8) STORE(dst + i, ADD(MUL(ALL(a), LOAD(dst + i)), MUL(ALL(b), LOAD(src + i))));
}

#else // never called

void t2sda_adamw_vectors(float *p, const float *g, float *m, float *v, size_t n, float beta1, float beta2, float eps, float new1,
                         float new2, float grad, float keep, float rate, float rsqrt_c) {}
void t2sda_blend_vectors(float *dst, const float *src, size_t n, float a, float b) {}

#endif
