#include "native.h"

// GeluGrad: dy·(Φ(x) + x·φ(x)), with the normal distribution Φ and its density φ. By ONNX's operators that is
// an error function, an exponential and four passes over memory; here the one exponential serves both, and
// roundings are others. Φ is that of M. Abramowitz and I. A. Stegun, "Handbook of Mathematical Functions", 7.1.26, within
// 10⁻⁷.
#if defined(__clang__)
#pragma STDC FP_CONTRACT ON
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=fast")
#endif

enum { STRIP = 8192 };
typedef int32_t whole __attribute__((vector_size(4 * WIDTH), aligned(4), may_alias));

typedef struct {
  const t2sda_api *api;
  native_shape result;
} gelu_grad;

typedef struct {
  const gelu_grad *grad;
  const float *dy, *x;
  float *dx; // may be dy
} run;

// decay makes of v e⁻ᵛ, for v from 0 on, as 2ⁿ·eᶠ with |f| ≤ ½·ln 2; beyond v = 87, where float32 ends, 0.
ALWAYS void decay(octet *to) {
  const whole far = *to > 87.0f;
  const octet v = (octet)((whole)*to & ~far);
  const whole n = __builtin_convertvector(v * -1.44269504f - 0.5f, whole);
  const octet k = __builtin_convertvector(n, octet), f = (-v - k * 0.693359375f) + k * 2.12194440e-4f;
  octet p = (octet){0} + 1.9875691500e-4f; // Cephes, expf
  p = p * f + 1.3981999507e-3f;
  p = p * f + 8.3334519073e-3f;
  p = p * f + 4.1665795894e-2f;
  p = p * f + 1.6666665459e-1f;
  p = p * f + 5.0000001201e-1f;
  const octet power = (octet)((n + 127) << 23);
  *to = (octet)((whole)((p * f * f + f + 1.0f) * power) & ~far);
}

// slope makes of x Φ(x) + x·φ(x).
ALWAYS void slope(octet *to) {
  const octet x = *to;
  octet e = x * x * 0.5f;
  decay(&e);
  const octet u = (octet)((whole)x & 0x7fffffff) * 0.70710678f, t = 1.0f / (u * 0.3275911f + 1.0f);
  octet tail = (octet){0} + 1.061405429f; // half of it is what Φ is from 1
  tail = tail * t - 1.453152027f;
  tail = tail * t + 1.421413741f;
  tail = tail * t - 0.284496736f;
  tail = tail * t + 0.254829592f;
  tail = tail * t * e * 0.5f;
  const whole left = x < 0.0f;
  const octet cdf = (octet)(((whole)tail & left) | ((whole)(1.0f - tail) & ~left));
  *to = cdf + x * e * 0.39894228f;
}

ALWAYS void part(const run *u, int64_t number) {
  const int64_t from = number * STRIP, rest = u->grad->result.size - from, n = rest < STRIP ? rest : STRIP;
  const float *dy = u->dy + from, *x = u->x + from;
  float *dx = u->dx + from;
  int64_t i = 0;
  for (; i < n; i += WIDTH) {
    octet s = {0};
    if (i + WIDTH <= n) {
      s = *(const octet *)(x + i);
      slope(&s);
      *(octet *)(dx + i) = *(const octet *)(dy + i) * s;
    } else {
      memcpy(&s, x + i, (n - i) * sizeof *x);
      slope(&s);
      for (int k = 0; i + k < n; k++) dx[i + k] = dy[i + k] * s[k];
    }
  }
}

NATIVE_TASK(part, const run *)

static void *compute(void *kernel, void *context) {
  const gelu_grad *g = kernel;
  run u = {.grad = g};
  void *status = native_operand(g->api, context, 0, (const void **)&u.dy);
  if (!status) status = native_operand(g->api, context, 1, (const void **)&u.x);
  if (!status) status = native_result(g->api, context, 0, &g->result, &u.dx);
  return status ? status : native_share(g->api, context, part_task, (g->result.size + STRIP - 1) / STRIP, &u);
}

static void destroy(void *kernel) { free(kernel); }

// parse takes the shape of the result.
static int parse(void *kernel, const t2sda_api *api, native_lists *l) {
  gelu_grad *g = kernel;
  g->api = api;
  return l->n[SIZES] == 0 && native_shapes(l->of[RESULTS], l->n[RESULTS], &g->result, 1) == 1;
}

NATIVE_OPERATOR(t2sda_gelu_grad, gelu_grad, FEW_LISTS, "GeluGrad", "elements", 2, 1,
                .GetInputType = native_float32, .GetInputCharacteristic = native_required, .GetOutputCharacteristic = native_required,
                .GetMayInplace = native_first_inplace, .ReleaseMayInplace = native_release_inplace)
