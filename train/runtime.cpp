#include "train/runtime.h"

#include <ATen/Parallel.h>
#include <ATen/autocast_mode.h>
#include <malloc.h>
#include <sys/resource.h>
#include <torch/cuda.h>
#include <torch/nn/module.h>
#include <torch/utils.h>
#include <torch/version.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <fstream>
#include <opencv2/core.hpp>
#include <opencv2/core/version.hpp>
#include <thread>

#include "configs/error.h"

namespace plateforge {

namespace {

// Sequential: pictures are small, and the loader's workers already use the cores.
constexpr int kOpenCvThreads = 0;

constexpr double kLargestError = 1e-4;  // of sums of 64 products up to 1; bfloat16 misses by 1e-2

// Lets LibTorch run float products of linear layers in oneDNN, which on AMD is twice as fast as the
// BLAS in its wheels. The setting also permits fewer bits where a CPU has instructions for them, so
// the result is looked at: off again where float is not computed as float.
void allow_fast_products() {
  auto& context = at::globalContext();
  const auto index = torch::arange(256 * 64, torch::kDouble);
  const auto a = (index * 0.37).sin().reshape({256, 64}),
             b = (index * 0.73).cos().reshape({256, 64});
  context.setFloat32MatmulPrecision("medium");
  const torch::NoGradGuard no_grad;
  const auto product = torch::linear(a.to(torch::kFloat), b.to(torch::kFloat));
  const auto error = (product.to(torch::kDouble) - torch::linear(a, b)).abs().max().item<double>();
  if (error > kLargestError) context.setFloat32MatmulPrecision("highest");
}

bool system_malloc() {
  const char* choice = std::getenv("PLATEFORGE_MALLOC");
  return choice != nullptr && std::strcmp(choice, "system") == 0;
}

int64_t status_kilobytes(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.rfind(key, 0) == 0) return std::stoll(line.substr(key.size() + 1));
  return 0;
}

std::string cpu_model() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.rfind("model name", 0) == 0) return line.substr(line.find(':') + 2);
  return "unknown";
}

std::string cpu_features() {
  std::string text = "baseline";
  const auto add = [&](bool has, const char* name) {
    if (has) text += std::string(", ") + name;
  };
#if defined(__x86_64__)
  add(__builtin_cpu_supports("avx2"), "avx2");
  add(__builtin_cpu_supports("avx512f"), "avx512");
  add(__builtin_cpu_supports("avx512vnni"), "avx512_vnni");
  add(__builtin_cpu_supports("avx512bf16"), "avx512_bf16");
#endif
  return text;
}

int64_t intra_op_threads(const RuntimeConfig& config) {
  return config.threads > 0 ? config.threads
                            : std::max<int64_t>(1, std::thread::hardware_concurrency());
}

}  // namespace

void set_memory_policy() {
  if (system_malloc()) return;
  // glibc reads tunables only at start-up; MALLOC_TOP_PAD in one step keeps the heap from growing
  // in small pieces. M_MMAP_MAX 0: large blocks come from the heap, which is never trimmed.
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, 2000000000);
  mallopt(M_TOP_PAD, 256 << 20);
  // One arena: a block freed by another thread is found again by the next step.
  mallopt(M_ARENA_MAX, 1);
  // LibTorch asks for transparent huge pages on large blocks when this is set.
  setenv("THP_MEM_ALLOC_ENABLE", "1", /*overwrite=*/0);
}

torch::Device set_up_runtime(const RuntimeConfig& config) {
  at::set_num_threads(static_cast<int>(intra_op_threads(config)));
  static const bool inter_op_once = (at::set_num_interop_threads(1), true);
  (void)inter_op_once;
  cv::setNumThreads(kOpenCvThreads);
  static const bool products_once = (allow_fast_products(), true);
  (void)products_once;
  const bool cuda = torch::cuda::is_available();
  require(config.device != "cuda" || cuda,
          "runtime.device = cuda, but LibTorch finds no CUDA device; use device auto or cpu");
  return config.device == "cpu" || !cuda ? torch::Device(torch::kCPU)
                                         : torch::Device(torch::kCUDA, 0);
}

at::Generator random_generator(torch::Device device) {
  return at::globalContext().defaultGenerator(device);
}

PrecisionGuard::PrecisionGuard(const std::string& precision, torch::Device device)
    : device_(device.type()) {
  if (precision != "bf16") return;
  active_ = true;
  was_enabled_ = at::autocast::is_autocast_enabled(device_);
  at::autocast::set_autocast_enabled(device_, true);
  at::autocast::set_autocast_dtype(device_, at::kBFloat16);
  at::autocast::increment_nesting();
}

PrecisionGuard::~PrecisionGuard() {
  if (!active_) return;
  if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
  at::autocast::set_autocast_enabled(device_, was_enabled_);
}

void move_to(torch::nn::Module& network, torch::Device device) {
  network.to(device);
  const torch::NoGradGuard no_grad;
  for (auto& parameter : network.parameters())
    if (parameter.dim() == 4)
      parameter.set_data(parameter.contiguous(torch::MemoryFormat::ChannelsLast));
}

Batch to_device(Batch batch, torch::Device device) {
  for (auto* part : {&batch.images, &batch.targets, &batch.target_lengths, &batch.patch_order})
    if (part->defined()) *part = part->to(device, /*non_blocking=*/true);
  return batch;
}

int64_t resident_bytes() { return status_kilobytes("VmRSS:") * 1024; }
int64_t peak_resident_bytes() { return status_kilobytes("VmHWM:") * 1024; }

std::vector<std::pair<std::string, std::string>> describe_runtime(const RuntimeConfig& config) {
  const auto device = set_up_runtime(config);
  return {
      {"plateforge", PLATEFORGE_VERSION},
      {"libtorch", TORCH_VERSION},
      {"opencv", CV_VERSION},
      {"cpu", cpu_model()},
      {"cpu features", cpu_features()},
      {"cores", std::to_string(std::thread::hardware_concurrency())},
      {"device", device.str()},
      {"threads", "LibTorch intra-op " + std::to_string(at::get_num_threads()) + ", inter-op " +
                      std::to_string(at::get_num_interop_threads()) + ", OpenCV " +
                      std::to_string(kOpenCvThreads) + ", loader: data.workers"},
      {"allocator", system_malloc() ? "system (PLATEFORGE_MALLOC=system)"
                                    : "glibc keeping freed blocks, huge pages asked for"},
      {"memory", std::to_string(sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGE_SIZE) >> 20) + " MiB"},
  };
}

}  // namespace plateforge
