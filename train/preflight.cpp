#include "train/preflight.h"

#include <chrono>
#include <cmath>
#include <filesystem>
#include <sstream>

#include "data/loader.h"
#include "optim/optimizer.h"
#include "train/runtime.h"
#include "train/training.h"

namespace plateforge {

namespace {

constexpr int64_t kWarmUpSteps = 2;
constexpr int64_t kTimedSteps = 4;

double seconds_per_step(Task& task, Loader& train, const RunConfig& config, torch::Device device) {
  const auto optimizer =
      make_optimizer(make_param_groups(task.network(), config.optim), config.optim);
  task.network().train();
  train.seek(0);
  auto start = std::chrono::steady_clock::now();
  for (int64_t step = 0; step < kWarmUpSteps + kTimedSteps; ++step) {
    if (step == kWarmUpSteps) start = std::chrono::steady_clock::now();
    auto batch = train.next().value();
    batch.images = batch.images.to(device);
    batch.targets = batch.targets.to(device);
    batch.target_lengths = batch.target_lengths.to(device);
    optimizer->zero_grad();
    task.loss(batch).backward();
    optimizer->step(config.optim.lr, config.optim.beta1);
  }
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() /
         static_cast<double>(kTimedSteps);
}

template <class... Pieces>
std::string text_of(const Pieces&... pieces) {
  std::ostringstream out;
  (out << ... << pieces);
  return out.str();
}

}  // namespace

Preflight preflight(const RunConfig& config) {
  Preflight result;
  const auto add = [&](const char* name, std::string value) {
    result.findings.emplace_back(name, std::move(value));
  };
  const auto device = set_up_runtime(config.runtime);
  const auto scratch = std::filesystem::temp_directory_path() / "plateforge-preflight";
  const auto training = open_training(config, device, scratch);
  std::filesystem::remove_all(scratch);
  result.findings = training.findings;
  const double seconds = seconds_per_step(*training.task, *training.train, config, device);
  const double images = static_cast<double>(config.data.batch_size);
  add("step",
      text_of(std::lround(seconds * 1000), " ms, ", std::lround(images / seconds), " img/s"));
  add("whole run", text_of(std::lround(seconds * static_cast<double>(config.train.steps) / 60),
                           " minutes for ", config.train.steps, " steps"));
  add("peak memory", text_of(peak_resident_bytes() >> 20, " MiB"));
  return result;
}

}  // namespace plateforge
