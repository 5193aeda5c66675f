// Counts the pixels of every class in a binary PPM picture, through ONNX Runtime's C header:
//
//     g++ -std=c++17 -I DIR_OF_onnxruntime_c_api.h segment.cpp -o segment /path/to/libonnxruntime.so.1
//     ./segment M.onnx picture.ppm
//
// M.onnx: t2sda export --dynamic --output labels (input uint8-nhwc).
#include <onnxruntime_c_api.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <string>
#include <vector>

static const OrtApi *ort = OrtGetApiBase()->GetApi(ORT_API_VERSION);

static void check(OrtStatus *status) {
  if (status == nullptr) return;
  std::fprintf(stderr, "%s\n", ort->GetErrorMessage(status));
  std::exit(1);
}

int main(int argc, char **argv) {
  if (argc != 3) return 2;
  std::ifstream file(argv[2], std::ios::binary);
  std::string kind;
  int64_t w = 0, h = 0;
  int most = 0;
  file >> kind >> w >> h >> most;
  file.get();  // the one blank before the pixels
  std::vector<uint8_t> rgb(3 * w * h);
  if (kind != "P6" || most != 255 || !file.read(reinterpret_cast<char *>(rgb.data()), rgb.size())) return 2;

  OrtEnv *env = nullptr;
  OrtSessionOptions *options = nullptr;
  OrtSession *session = nullptr;
  check(ort->CreateEnv(ORT_LOGGING_LEVEL_WARNING, "segment", &env));
  check(ort->CreateSessionOptions(&options));
  check(ort->CreateSession(env, argv[1], options, &session));

  OrtMemoryInfo *memory = nullptr;
  check(ort->CreateCpuMemoryInfo(OrtDeviceAllocator, OrtMemTypeDefault, &memory));
  const int64_t shape[] = {1, h, w, 3};
  OrtValue *image = nullptr, *labels = nullptr;
  check(ort->CreateTensorWithDataAsOrtValue(memory, rgb.data(), rgb.size(), shape, 4,
                                            ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8, &image));
  const char *in = "image", *out = "labels";
  check(ort->Run(session, nullptr, &in, &image, 1, &out, 1, &labels));

  uint8_t *ids = nullptr;  // [1,h,w]
  check(ort->GetTensorMutableData(labels, reinterpret_cast<void **>(&ids)));
  std::map<int, int64_t> counts;
  for (int64_t i = 0; i < w * h; i++) counts[ids[i]]++;
  for (const auto &[id, n] : counts) std::printf("%d %lld\n", id, static_cast<long long>(n));

  ort->ReleaseValue(labels);
  ort->ReleaseValue(image);
  ort->ReleaseMemoryInfo(memory);
  ort->ReleaseSession(session);
  ort->ReleaseSessionOptions(options);
  ort->ReleaseEnv(env);
}
