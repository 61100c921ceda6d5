#include "train/training.h"

#include <torch/nn/module.h>
#include <torch/utils.h>

#include <set>

#include "configs/error.h"
#include "configs/log.h"
#include "data/frames/frame_batches.h"
#include "data/masked_batches.h"
#include "train/best_weights.h"
#include "train/detector_data.h"
#include "train/reader_data.h"
#include "train/run_setup.h"
#include "train/runtime.h"
#include "train/tasks/detector.h"
#include "train/tasks/mae.h"
#include "train/tasks/reader.h"

namespace plateforge {
namespace {

std::string network_line(const RunConfig& config, torch::nn::Module& network) {
  return config.model.name + ", " + std::to_string(count_parameters(network)) + " parameters";
}

std::string data_line(const char* what, int64_t real, int64_t all, int64_t val) {
  return std::to_string(real) + " real " + what + " and " + std::to_string(all - real) +
         " generated ones to train on, " + std::to_string(val) + " to validate on";
}

// Symbols of the alphabet that no training plate shows: the network cannot learn them.
std::string unseen_symbols(const Mix& mix, const Region& region) {
  std::set<int64_t> seen;
  for (const auto& part : mix.parts)
    for (int64_t i = 0; i < part.source->size(); ++i)
      for (const auto symbol : region.encode(part.source->text(i))) seen.insert(symbol);
  std::string text;
  for (int64_t symbol = 0; symbol < region.blank(); ++symbol)
    if (!seen.contains(symbol)) text += region.alphabet()[static_cast<size_t>(symbol)];
  return text.empty() ? "every symbol occurs in the training plates"
                      : "never seen in training: " + text;
}

// What the best weights are chosen by has to be measured.
template <class Metrics>
void require_metric(const Metrics& metrics, const std::string& name) {
  if (!fits_every_task(name)) metrics.value(name);
}

// Photographs where there are any; drawn samples are better than none.
template <class SomeMix>
SomeMix calibration_part(const SomeMix& mix) {
  SomeMix real;
  for (const auto& part : mix.parts)
    if (part.source->is_real()) real.parts.push_back(part);
  return real.parts.empty() ? mix : real;
}

Training open_reader(const RunConfig& config, const Region& region, torch::Device device,
                     const std::filesystem::path& folder) {
  require_metric(ReaderMetrics(region), config.train.best_by);
  require(config.slots.mask_characters == 0 || reads_slots(config.model),
          "slots.mask_characters is for task slot_reader");
  const auto cache =
      config.data.cache.empty() ? folder / "cache" : std::filesystem::path(config.data.cache);
  const auto data = open_reader_data(config, region, cache);
  const auto start = make_start(config, region);
  Training training;
  training.findings = {
      {"region", region.name() + ", " + std::to_string(region.blank()) +
                     " symbols, longest plate " + std::to_string(region.max_length()) + " of " +
                     std::to_string(time_steps(config.model)) + " steps"},
      {"plates", data_line("plates", data.train.real_size(), data.train.size(), data.val.size())},
      {"alphabet", unseen_symbols(data.train, region)},
      {"network", network_line(config, *start.network)}};
  training.val = std::make_unique<Loader>(data.val, region, AugmentConfig{.strength = 0, .ops = {}},
                                          val_loader_options(config));
  const auto teacher = make_teacher(config, region, device);
  auto loading = train_loader_options(config);
  if (teacher) loading.size = teacher->size;
  training.train = std::make_unique<Loader>(data.train, region, config.augment, loading);
  training.task = std::make_unique<ReaderTask>(
      start, *training.val,
      ReaderTask::Options{.reading = {.decoder = config.train.decoder,
                                      .precision = config.runtime.precision,
                                      .device = device},
                          .slots = config.slots,
                          .teacher = teacher});
  training.pruning = make_prune_hook(config, start, plate_exam(calibration_part(data.train), start),
                                     device, folder);
  return training;
}

Training open_pretraining(const RunConfig& config, const Region& region, torch::Device device,
                          const std::filesystem::path& folder) {
  require(fits_every_task(config.train.best_by),
          "task mae measures nothing but its loss: set train.best_by to loss or last, not ",
          config.train.best_by);
  const auto cache =
      config.data.cache.empty() ? folder / "cache" : std::filesystem::path(config.data.cache);
  const auto data = open_pretraining_data(config, region, cache);
  const auto start = make_start(config, region);
  const auto patches = patch_grid(config.model).tokens();
  const auto seed = static_cast<uint64_t>(config.seed);
  const auto masked = [&](const Mix& mix, const AugmentConfig& augment,
                          const LoaderOptions& options) {
    auto plates = make_plate_batches(mix, region, augment, options);
    return std::make_unique<Loader>(make_masked_batches(std::move(plates), patches, seed), options);
  };
  Training training;
  training.findings = {
      {"plates", data_line("plates", data.train.real_size(), data.train.size(), data.val.size())},
      {"network", network_line(config, *start.network)}};
  training.val = masked(data.val, {.strength = 0, .ops = {}}, val_loader_options(config));
  training.train = masked(data.train, config.augment, train_loader_options(config));
  training.task = std::make_unique<MaeTask>(
      start, *training.val,
      MaeTask::Options{.precision = config.runtime.precision, .device = device});
  return training;
}

Training open_detector(const RunConfig& config, const Region& region, torch::Device device,
                       const std::filesystem::path& folder) {
  require_metric(DetectionMetrics(), config.train.best_by);
  const auto data = open_detector_data(config, region);
  const auto start = make_start(config, region);
  Training training;
  training.findings = {
      {"frames", data_line("frames", data.train.real_size(), data.train.size(), data.val.size())},
      {"network", network_line(config, *start.network)}};
  const auto val = val_loader_options(config);
  training.val = std::make_unique<Loader>(
      make_frame_batches(data.val, region, config.frames, {.strength = 0, .ops = {}}, val), val);
  auto train = train_loader_options(config);
  if (const auto side = static_cast<int>(config.frames.size); side > 0) train.size = {side, side};
  training.train = std::make_unique<Loader>(
      make_frame_batches(data.train, region, config.frames, config.augment, train), train);
  training.task = std::make_unique<DetectorTask>(
      start, *training.val,
      DetectorOptions{
          .loss = config.detection, .precision = config.runtime.precision, .device = device});
  training.pruning = make_prune_hook(config, start, frame_exam(calibration_part(data.train), start),
                                     device, folder);
  return training;
}

// The task that trains a model.
std::string task_of(const ModelConfig& model) {
  if (is_detector(model)) return "detector";
  if (is_autoencoder(model)) return "mae";
  return reads_slots(model) ? "slot_reader" : "ctc_reader";
}

}  // namespace

Training open_training(const RunConfig& run, torch::Device device,
                       const std::filesystem::path& folder) {
  const auto wanted = task_of(run.model);
  require(run.task == wanted, "task ", run.task, " cannot train model ", run.model.name,
          reads_slots(run.model) ? " with slots" : "", ": set task to ", wanted);
  const auto region = Region::load(run.region);
  auto config = run;
  config.model = for_region(run.model, region);
  if (wanted == "detector") return open_detector(config, region, device, folder);
  if (wanted == "mae") return open_pretraining(config, region, device, folder);
  return open_reader(config, region, device, folder);
}

Outcome train_once(const RunConfig& config, const std::filesystem::path& run, bool resume) {
  const auto device = set_up_runtime(config.runtime);
  torch::manual_seed(static_cast<uint64_t>(config.seed));
  auto training = open_training(config, device, run);
  for (const auto& [title, line] : training.findings) log_info(title + ": " + line);
  Trainer trainer(config, *training.task, *training.train, device, run);
  if (training.pruning) trainer.add_hook(std::move(training.pruning));
  if (resume) trainer.resume();
  const auto outcome = trainer.run();
  if (trainer.state().best_step >= 0)  // not stopped before the first validation
    log_info(trainer.kept_weights() + "; weights: " + (run / "model.safetensors").string());
  return outcome;
}

}  // namespace plateforge
