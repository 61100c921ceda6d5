#include "train/preflight.h"

#include <chrono>
#include <cmath>
#include <sstream>

#include "data/loader.h"
#include "optim/optimizer.h"
#include "train/runtime.h"
#include "train/scratch_folder.h"
#include "train/stages.h"
#include "train/training.h"

namespace plateforge {

namespace {

constexpr int64_t kWarmUpSteps = 2;
constexpr int64_t kTimedSteps = 4;
constexpr const char* kNoFolder = "(not yet)";  // of stages that will not be trained

double seconds_per_step(Task& task, Loader& train, const RunConfig& config, torch::Device device) {
  const auto optimizer =
      make_optimizer(make_param_groups(task.network(), config.optim), config.optim);
  task.network().train();
  train.seek(0);
  auto start = std::chrono::steady_clock::now();
  for (int64_t step = 0; step < kWarmUpSteps + kTimedSteps; ++step) {
    if (step == kWarmUpSteps) start = std::chrono::steady_clock::now();
    const auto batch = to_device(train.next().value(), device);
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

// Minutes that one run or stage will take; what was found goes to `findings`, named `prefix` and a
// word.
double check(const RunConfig& config, torch::Device device, const std::filesystem::path& scratch,
             const std::string& prefix, std::vector<Finding>& findings) {
  const auto add = [&](const std::string& name, std::string value) {
    findings.emplace_back(prefix + name, std::move(value));
  };
  const auto training = open_training(config, device, scratch);
  for (const auto& [name, value] : training.findings) add(name, value);
  const double seconds = seconds_per_step(*training.task, *training.train, config, device);
  const double images = static_cast<double>(config.data.batch_size);
  const double minutes = seconds * static_cast<double>(config.train.steps) / 60;
  add("step",
      text_of(std::lround(seconds * 1000), " ms, ", std::lround(images / seconds), " img/s"));
  add("steps", text_of(config.train.steps, ", ", std::lround(minutes), " minutes"));
  return minutes;
}

}  // namespace

std::vector<Finding> preflight(const RunConfig& config) {
  const auto device = set_up_runtime(config.runtime);
  const ScratchFolder scratch;
  std::vector<Finding> findings;
  double minutes = 0;
  if (config.stages.empty()) minutes = check(config, device, scratch.path(), "", findings);
  for (auto& stage : stages_of(config, kNoFolder)) {
    auto& start = stage.config.model.init_from;
    if (start.starts_with(kNoFolder)) start.clear();  // of a stage before, which is to be trained
    minutes += check(stage.config, device, scratch.path(), stage.name + ": ", findings);
  }
  findings.emplace_back("whole run", text_of(std::lround(minutes), " minutes without validations"));
  findings.emplace_back("peak memory", text_of(peak_resident_bytes() >> 20, " MiB"));
  return findings;
}

}  // namespace plateforge
