#include "native.h"

// A run goes over the results in strips. A strip of an operand that is as large as the results, and
// one of a result, lie where the tensors are; what lies between is in registers, which stay in the
// cache. Strips are so short that the processor reads the next one from memory while it computes:
// with 512 elements instead of 64, six instructions took almost twice as long. Chunks of strips are
// shared out to the session's threads.
enum { STRIP = 64, CHUNK = 256 * STRIP };

enum { ADD, SUB, MUL, DIV, NEG, CLAMP01, FILL };

typedef struct {
  int rank, broadcast; // broadcast: it is smaller than the results
  int64_t dims[T2SDA_FUSED_RANK], steps[T2SDA_FUSED_RANK];
} operand;

typedef struct {
  int32_t op, to, a, b;
} instruction;

typedef struct {
  int64_t to, operand, bits; // operand −1: bits are those of a constant
} once;

// group is a kernel: what the attributes of its node say.
typedef struct {
  const t2sda_api *api;
  int64_t space;
  int registers, operands, results, onces, instructions;
  operand operand[T2SDA_FUSED_SLOTS];
  native_shape result[T2SDA_FUSED_SLOTS];
  const once *once; // of the lists that the kernel was made of
  instruction *code;
} group;

typedef struct {
  const group *group;
  const float *operand[T2SDA_FUSED_SLOTS];
  float *result[T2SDA_FUSED_SLOTS];
} run;

ALWAYS void splat(float *to, float x, int64_t n) {
  for (int64_t i = 0; i < n; i++) to[i] = x;
}

// A place in an operand that is broadcast.
typedef struct {
  int64_t index[T2SDA_FUSED_RANK], offset;
  int64_t same; // elements at the end of what was filled that are the one here
} place;

static place place_of(const operand *o, int64_t at) {
  place p = {.offset = 0};
  for (int d = o->rank - 1; d >= 0; d--) {
    p.index[d] = at % o->dims[d];
    at /= o->dims[d];
    p.offset += p.index[d] * o->steps[d];
  }
  return p;
}

// fill writes the next n elements of an operand that is broadcast to a register that nothing else
// is written to.
ALWAYS void fill(const operand *o, const float *from, float *to, place *p, int64_t n) {
  const int last = o->rank - 1;
  if (p->same >= STRIP && o->dims[last] - p->index[last] > n) {
    p->index[last] += n; // the register is full of it
    return;
  }
  while (n > 0) {
    int64_t k = o->dims[last] - p->index[last];
    if (k > n) k = n;
    if (o->steps[last] == 0) {
      splat(to, from[p->offset], k);
      p->same += k;
    } else
      memcpy(to, from + p->offset, k * sizeof *to); // the last dimension that has steps has steps of 1
    to += k;
    n -= k;
    p->offset += k * o->steps[last];
    if ((p->index[last] += k) < o->dims[last]) return;
    p->offset -= o->dims[last] * o->steps[last]; // to the beginning of the next line
    p->index[last] = p->same = 0;
    for (int d = last - 1; d >= 0; d--) {
      p->offset += o->steps[d];
      if (++p->index[d] < o->dims[d]) break;
      p->offset -= p->index[d] * o->steps[d];
      p->index[d] = 0;
    }
  }
}

// EACH computes a strip; its length is a constant where it is a whole one.
#define EACH(expression)                                    \
  if (n == STRIP) {                                         \
    for (i = 0; i < STRIP; i += LANES) {                    \
      const vector a = *(const vector *)(pa + i);           \
      const vector b = *(const vector *)(pb + i);           \
      (void)b;                                              \
      *(vector *)(to + i) = expression;                     \
    }                                                       \
    break;                                                  \
  }                                                         \
  for (i = 0; i < n; i++) {                                 \
    const float a = pa[i], b = pb[i];                       \
    (void)b;                                                \
    to[i] = expression;                                     \
  }                                                         \
  break

ALWAYS void execute(int64_t op, float *to, const float *pa, const float *pb, int64_t n) {
  int64_t i;
  switch (op) {
  case ADD: EACH(a + b);
  case SUB: EACH(a - b);
  case MUL: EACH(a * b);
  case DIV: EACH(a / b);
  case NEG: EACH(-a);
  case CLAMP01: // NaN stays NaN
    for (i = 0; i < n; i++) {
      float x = pa[i];
      x = x > 1 ? 1 : x;
      to[i] = x < 0 ? 0 : x;
    }
  }
}

// chunk does a chunk of the strips of a run.
ALWAYS void chunk(const run *r, int64_t number) {
  const group *g = r->group;
  float registers[T2SDA_FUSED_REGISTERS][STRIP] __attribute__((aligned(64)));
  float *slot[T2SDA_FUSED_SLOTS];
  place places[T2SDA_FUSED_SLOTS];
  const int operands = g->registers, results = operands + g->operands;
  const int64_t begin = number * CHUNK, end = begin + CHUNK < g->space ? begin + CHUNK : g->space;
  for (int k = 0; k < g->registers; k++) slot[k] = registers[k];
  for (int k = 0; k < g->operands; k++) {
    if (g->operand[k].broadcast)
      places[k] = place_of(g->operand + k, begin);
    else
      slot[operands + k] = (float *)r->operand[k] + begin; // read only
  }
  for (int k = 0; k < g->results; k++) slot[results + k] = r->result[k] + begin;
  for (int k = 0; k < g->onces; k++) {
    const once *o = g->once + k;
    float x;
    const int32_t bits = (int32_t)o->bits;
    memcpy(&x, o->operand < 0 ? (const void *)&bits : r->operand[o->operand], sizeof x);
    splat(registers[o->to], x, STRIP);
  }
  for (int64_t at = begin; at < end; at += STRIP) {
    const int64_t n = end - at < STRIP ? end - at : STRIP;
    for (int k = 0; k < g->instructions; k++) {
      const instruction *i = g->code + k;
      if (i->op == FILL) {
        const int o = i->a - operands;
        fill(g->operand + o, r->operand[o], slot[i->to], places + o, n);
      } else {
        execute(i->op, slot[i->to], slot[i->a], slot[i->b], n);
      }
    }
    for (int k = 0; k < g->operands; k++)
      if (!g->operand[k].broadcast) slot[operands + k] += n;
    for (int k = 0; k < g->results; k++) slot[results + k] += n;
  }
}

NATIVE_TASK(chunk, const run *)

static void *compute(void *kernel, void *context) {
  const group *g = kernel;
  const t2sda_api *api = g->api;
  run r = {.group = g};
  void *status = NULL;
  for (int k = 0; k < g->operands && !status; k++) status = native_operand(api, context, k, (const void **)&r.operand[k]);
  for (int k = 0; k < g->results && !status; k++) status = native_result(api, context, k, g->result + k, &r.result[k]);
  if (status) return status;
  return native_share(api, context, chunk_task, (g->space + CHUNK - 1) / CHUNK, &r);
}

static void destroy(void *kernel) {
  group *g = kernel;
  free((void *)g->once);
  free(g->code);
  free(g);
}

// readable reports whether there is a whole strip in a slot, or, for a fill, a smaller operand.
static int readable(const group *g, int op, int slot, int64_t slots) {
  const int k = slot - g->registers;
  if (slot < 0 || slot >= slots) return 0;
  const int broadcast = k >= 0 && k < g->operands && g->operand[k].broadcast;
  return broadcast == (op == FILL);
}

// parse takes what the attributes say; it returns whether that can be run: slots, registers and
// operands have to be there. That operands have the sizes that it says is for who wrote the model.
static int parse(void *kernel, const t2sda_api *api, native_lists *l) {
  group *g = kernel;
  g->api = api;
  if (l->n[SIZES] != 2 || l->n[ONCE] % 3 || l->n[CODE] % 4) return 0;
  g->space = l->of[SIZES][0];
  const int64_t registers = l->of[SIZES][1];
  if (g->space < 1 || registers < 0 || registers > T2SDA_FUSED_REGISTERS) return 0;
  g->registers = (int)registers;
  for (const int64_t *at = l->of[OPERANDS], *end = at + l->n[OPERANDS]; at < end; g->operands++) {
    const int64_t rank = *at++;
    if (g->operands == T2SDA_FUSED_SLOTS || rank < 0 || rank > T2SDA_FUSED_RANK || 2 * rank > end - at) return 0;
    operand *o = g->operand + g->operands;
    o->rank = (int)rank;
    memcpy(o->dims, at, rank * sizeof *at);
    memcpy(o->steps, at + rank, rank * sizeof *at);
    at += 2 * rank;
    if (native_product(o->dims, o->rank) != g->space) return 0;
    for (int d = 0; d < o->rank; d++) {
      o->broadcast |= o->steps[d] == 0;
      if (o->steps[d] < 0 || o->steps[d] > g->space) return 0;
    }
  }
  g->results = native_shapes(l->of[RESULTS], l->n[RESULTS], g->result, T2SDA_FUSED_SLOTS);
  for (int k = 0; k < g->results; k++)
    if (g->result[k].size != g->space) return 0;
  if (g->results < 1) return 0;
  const int64_t results = registers + g->operands, slots = results + g->results;
  if (slots > T2SDA_FUSED_SLOTS) return 0;
  g->onces = (int)(l->n[ONCE] / 3);
  g->instructions = (int)(l->n[CODE] / 4);
  g->once = (const once *)l->of[ONCE];
  l->of[ONCE] = NULL; // the group keeps that
  g->code = calloc(g->instructions + 1, sizeof *g->code);
  if (!g->code) return 0;
  for (size_t k = 0; k < l->n[CODE]; k++) ((int32_t *)g->code)[k] = (int32_t)l->of[CODE][k];
  for (const once *o = g->once; o < g->once + g->onces; o++)
    if (o->to < 0 || o->to >= registers || o->operand < -1 || o->operand >= g->operands) return 0;
  for (const instruction *i = g->code; i < g->code + g->instructions; i++) {
    const int written = i->to >= 0 && (i->to < registers || (i->op != FILL && i->to >= results && i->to < slots));
    const int read = readable(g, i->op, i->a, slots) && readable(g, i->op, i->b, slots);
    const int known = i->op >= ADD && i->op <= FILL;
    if (!written || !read || !known) return 0;
  }
  return 1;
}

static int variadic(const t2sda_op *op, size_t index) { return 2; }
static int at_least_none(const t2sda_op *op) { return 0; }
static int at_least_one(const t2sda_op *op) { return 1; }
static int of_one_type(const t2sda_op *op) { return 1; }

NATIVE_OPERATOR(t2sda_elementwise, group, ALL_LISTS, "Elementwise", "group of operators", 1, 1, .GetInputType = native_float32,
                .GetInputCharacteristic = variadic, .GetOutputCharacteristic = variadic,
                .GetVariadicInputMinArity = at_least_none, .GetVariadicInputHomogeneity = of_one_type,
                .GetVariadicOutputMinArity = at_least_one, .GetVariadicOutputHomogeneity = of_one_type,
                .GetMayInplace = native_first_inplace, .ReleaseMayInplace = native_release_inplace) // the last instruction writes that result, and an instruction reads before it writes
