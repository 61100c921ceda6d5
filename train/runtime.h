#pragma once

#include <torch/nn/module.h>

#include <string>
#include <utility>
#include <vector>

#include "configs/run_config.h"
#include "data/batch.h"

namespace plateforge {

// Keeps freed memory in the process instead of returning every activation to the kernel, and asks
// for huge pages. Worth 1.8-2.0x on a CPU training step, where otherwise each ~60 MB tensor is
// mapped, faulted in page by page and unmapped again every step. Call first thing in main(), before
// any tensor. Off when PLATEFORGE_MALLOC=system is set.
void set_memory_policy();

// Sets all thread pools in one place (LibTorch intra-op as configured, inter-op 1, OpenCV 0, since
// our loader threads are the parallelism there) and returns the device to compute on. Throws Error
// for cuda without a CUDA device.
torch::Device set_up_runtime(const RuntimeConfig& config);

// The generator behind dropout and every other torch draw on a device; its state is part of a
// checkpoint.
at::Generator random_generator(torch::Device device);

// Forward passes inside run in bf16 where torch's autocast allows, when precision is "bf16".
class PrecisionGuard {
 public:
  PrecisionGuard(const std::string& precision, torch::Device device);
  ~PrecisionGuard();
  PrecisionGuard(const PrecisionGuard&) = delete;
  PrecisionGuard& operator=(const PrecisionGuard&) = delete;

 private:
  bool active_ = false, was_enabled_ = false;
  c10::DeviceType device_;
};

// A network on a device with its four-dimensional parameters channels_last, as images come.
void move_to(torch::nn::Module& network, torch::Device device);

// What a step reads of a batch, on a device; copies from pinned memory need not be waited for.
Batch to_device(Batch batch, torch::Device device);

// Label and value of what this machine and build are; what `doctor` prints.
std::vector<std::pair<std::string, std::string>> describe_runtime(const RuntimeConfig& config);

// Resident memory of this process and its peak, bytes.
int64_t resident_bytes();
int64_t peak_resident_bytes();

}  // namespace plateforge
