#include "train/training.h"

#include <torch/nn/module.h>
#include <torch/utils.h>

#include <set>

#include "configs/error.h"
#include "configs/log.h"
#include "data/frames/frame_batches.h"
#include "train/detector_data.h"
#include "train/reader_data.h"
#include "train/run_setup.h"
#include "train/runtime.h"
#include "train/tasks/ctc_reader.h"
#include "train/tasks/detector.h"

namespace plateforge {
namespace {

std::string network_line(const RunConfig& config, torch::nn::Module& network) {
  int64_t parameters = 0;
  for (const auto& parameter : network.parameters()) parameters += parameter.numel();
  return config.model.name + ", " + std::to_string(parameters) + " parameters";
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
  if (name != "loss") metrics.value(name);
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
  const auto cache =
      config.data.cache.empty() ? folder / "cache" : std::filesystem::path(config.data.cache);
  const auto data = open_reader_data(config, region, cache);
  const ReadOptions reading{
      .decoder = config.train.decoder, .precision = config.runtime.precision, .device = device};
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
  training.train =
      std::make_unique<Loader>(data.train, region, config.augment, train_loader_options(config));
  training.task = std::make_unique<CtcReaderTask>(start, *training.val, reading,
                                                  make_teacher(config, region, device));
  training.pruning = make_prune_hook(config, start, plate_exam(calibration_part(data.train), start),
                                     device, folder);
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

}  // namespace

Training open_training(const RunConfig& config, torch::Device device,
                       const std::filesystem::path& folder) {
  const bool detector = is_detector(config.model);
  require((config.task == "detector") == detector, "task ", config.task, " cannot train model ",
          config.model.name, ": detector goes with scrfd, ctc_reader with lprnet");
  const auto region = Region::load(config.region);
  return detector ? open_detector(config, region, device, folder)
                  : open_reader(config, region, device, folder);
}

Outcome train_run(const RunConfig& config, const std::filesystem::path& run, bool resume) {
  const auto device = set_up_runtime(config.runtime);
  torch::manual_seed(static_cast<uint64_t>(config.seed));
  auto training = open_training(config, device, run);
  for (const auto& [title, line] : training.findings) log_info(title + ": " + line);
  Trainer trainer(config, *training.task, *training.train, device, run);
  if (training.pruning) trainer.add_hook(std::move(training.pruning));
  if (resume) trainer.resume();
  const auto outcome = trainer.run();
  log_info("best " + config.train.best_by + " " + std::to_string(trainer.state().best) +
           " at step " + std::to_string(trainer.state().best_step) +
           "; weights: " + (run / "model.safetensors").string());
  return outcome;
}

}  // namespace plateforge
