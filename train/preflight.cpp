#include "train/preflight.h"

#include <chrono>
#include <cmath>
#include <filesystem>
#include <set>
#include <sstream>

#include "data/loader.h"
#include "models/model_file.h"
#include "optim/optimizer.h"
#include "train/reader_data.h"
#include "train/run_setup.h"
#include "train/runtime.h"
#include "train/tasks/ctc_reader.h"

namespace plateforge {

namespace {

constexpr int64_t kWarmUpSteps = 2;
constexpr int64_t kTimedSteps = 4;

// Symbols of the alphabet that no training plate shows: the network cannot learn them.
std::string unseen_symbols(const Mix& mix, const Region& region) {
  std::set<int64_t> seen;
  for (const auto& part : mix.parts)
    for (int64_t i = 0; i < part.source->size(); ++i)
      for (const auto symbol : region.encode(part.source->text(i))) seen.insert(symbol);
  std::string text;
  for (int64_t symbol = 0; symbol < region.blank(); ++symbol)
    if (seen.count(symbol) == 0) text += region.alphabet()[static_cast<size_t>(symbol)];
  return text;
}

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
  const auto region = Region::load(config.region);
  add("region", text_of(region.name(), ", ", region.blank(), " symbols, longest plate ",
                        region.max_length(), " of ", time_steps(config.model), " steps"));
  const auto cache = std::filesystem::temp_directory_path() / "plateforge-preflight";
  const auto data = open_reader_data(config, region, cache);
  std::filesystem::remove_all(cache);
  add("plates",
      text_of(data.train.real_size(), " real to train on, ", data.val.size(), " to validate on"));
  const auto unseen = unseen_symbols(data.train, region);
  add("alphabet", unseen.empty() ? "every symbol occurs in the training plates"
                                 : "never seen in training: " + unseen);

  auto model = make_model(config.model, region, static_cast<uint64_t>(config.seed));
  int64_t parameters = 0;
  for (const auto& parameter : model.network->parameters()) parameters += parameter.numel();
  add("network", text_of(config.model.name, ", ", parameters, " parameters"));
  Loader val(data.val, region, {.strength = 0, .ops = {}}, val_loader_options(config));
  Loader train(data.train, region, config.augment, train_loader_options(config));
  CtcReaderTask task(std::move(model), val,
                     {.precision = config.runtime.precision, .device = device});
  const double seconds = seconds_per_step(task, train, config, device);
  const double images = static_cast<double>(config.data.batch_size);
  add("step",
      text_of(std::lround(seconds * 1000), " ms, ", std::lround(images / seconds), " img/s"));
  add("whole run", text_of(std::lround(seconds * static_cast<double>(config.train.steps) / 60),
                           " minutes for ", config.train.steps, " steps"));
  add("peak memory", text_of(peak_resident_bytes() >> 20, " MiB"));
  return result;
}

}  // namespace plateforge
