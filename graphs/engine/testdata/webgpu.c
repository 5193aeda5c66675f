// Why the state of a training cannot live on ONNX Runtime's WebGPU provider: what it gives
// as a device's memory is a handle, of which there are no tensors at offsets. Neither the
// build nor the tests compile this; docs/gpu.md has the commands and what it prints.
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "onnxruntime_c_api.h"

enum { N = 4096 };

static const OrtApi *a;

// y = a + b, [4096]: package engine's oneNode("Add", []int{4096}, "a", "b").
static const char model[] =
    "\010\010:R\012\025\012\001a\012\001b\022\001y\032\005Add_1\042\003Add\022\003AddZ\020\012"
    "\001a\022\013\012\011\010\001\022\005\012\003\010\200 Z\020\012\001b\022\013\012\011\010\001"
    "\022\005\012\003\010\200 b\020\012\001y\022\013\012\011\010\001\022\005\012\003\010\200 B"
    "\004\012\000\020\021";

static void must(const char *what, OrtStatus *s) {
  if (!s) return;
  printf("%s: %s\n", what, a->GetErrorMessage(s));
  _exit(1);
}

static OrtValue *value(const OrtMemoryInfo *m, void *at) {
  int64_t dims[1] = {N};
  OrtValue *v = NULL;
  must("value", a->CreateTensorWithDataAsOrtValue(m, at, 4 * N, dims, 1, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, &v));
  return v;
}

static void copy(OrtEnv *env, OrtValue *from, OrtValue *to) {
  must("copy", a->CopyTensors(env, (const OrtValue *const *)&from, &to, NULL, 1));
}

// webgpu LIBONNXRUNTIME PLUGIN
int main(int argc, char **argv) {
  void *l = argc == 3 ? dlopen(argv[1], RTLD_NOW) : NULL;
  if (!l) return puts("webgpu LIBONNXRUNTIME PLUGIN"), 2;
  setvbuf(stdout, NULL, _IONBF, 0);
  const OrtApiBase *base = ((const OrtApiBase *(*)(void))dlsym(l, "OrtGetApiBase"))();
  a = base->GetApi(24);
  OrtEnv *env;
  must("environment", a->CreateEnv(ORT_LOGGING_LEVEL_ERROR, "webgpu", &env));
  must("plugin", a->RegisterExecutionProviderLibrary(env, "webgpu", argv[2]));
  const OrtEpDevice *const *all, *device = NULL;
  size_t n;
  must("devices", a->GetEpDevices(env, &all, &n));
  for (size_t i = 0; i < n; i++)
    if (!strcmp(a->EpDevice_EpName(all[i]), "WebGpuExecutionProvider")) device = all[i];
  if (!device) return puts("the plugin offers no device"), 1;
  OrtSessionOptions *o;
  OrtSession *s;
  must("options", a->CreateSessionOptions(&o));
  must("provider", a->SessionOptionsAppendExecutionProvider_V2(o, env, &device, 1, NULL, NULL, 0));
  must("session", a->CreateSessionFromArray(env, model, sizeof model - 1, o, &s));
  const OrtMemoryInfo *gpu = a->EpDevice_MemoryInfo(device, OrtDeviceMemoryType_DEFAULT);
  OrtMemoryInfo *host;
  must("host", a->CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &host));
  OrtAllocator *allocator;
  must("allocator", a->CreateAllocator(s, gpu, &allocator));
  char *p, *q;
  must("memory", a->AllocatorAlloc(allocator, 2 * 4 * N, (void **)&p));
  must("memory", a->AllocatorAlloc(allocator, 4 * N, (void **)&q));
  static float one[N], back[N];
  for (int i = 0; i < N; i++) one[i] = 1;
  OrtValue *x = value(gpu, p), *y = value(gpu, q), *h = value(host, one), *b = value(host, back);
  copy(env, h, x);
  copy(env, h, y);
  copy(env, x, b);
  printf("there and back: 1 is %g\n", back[N - 1]);
  const char *in[2] = {"a", "b"}, *out[1] = {"y"};
  const OrtValue *ins[2] = {x, y};
  OrtStatus *status = a->Run(s, NULL, in, ins, 2, out, 1, &x);
  printf("a = a + b in place: %s\n", status ? a->GetErrorMessage(status) : "no error");
  copy(env, x, b);
  printf("  1 + 1 is %g\n", back[N - 1]);
  puts("a tensor at an offset of the allocation:");
  copy(env, h, value(gpu, p + 4 * N));
  puts("  no error");
  return 0;
}
