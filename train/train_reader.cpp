#include "train/train_reader.h"

#include "configs/log.h"
#include "data/loader.h"
#include "train/reader_data.h"
#include "train/run_setup.h"
#include "train/runtime.h"
#include "train/tasks/ctc_reader.h"

namespace plateforge {

Outcome train_reader(const RunConfig& config, const std::filesystem::path& run, bool resume) {
  const auto device = set_up_runtime(config.runtime);
  torch::manual_seed(static_cast<uint64_t>(config.seed));
  const auto region = Region::load(config.region);
  const auto cache =
      config.data.cache.empty() ? run / "cache" : std::filesystem::path(config.data.cache);
  const auto data = open_reader_data(config, region, cache);
  log_info("training on " + std::to_string(data.train.real_size()) + " real plates and " +
           std::to_string(data.train.size() - data.train.real_size()) +
           " generated ones, validating on " + std::to_string(data.val.size()));

  Loader val(data.val, region, {.strength = 0, .ops = {}}, val_loader_options(config));
  Loader train(data.train, region, config.augment, train_loader_options(config));
  const ReadOptions reading{
      .decoder = config.train.decoder, .precision = config.runtime.precision, .device = device};
  const auto start = make_start(config, region);
  CtcReaderTask task(start, val, reading, make_teacher(config, region, device));
  Trainer trainer(config, task, train, device, run);
  if (auto pruning = make_prune_hook(config, start, data.train, reading, run))
    trainer.add_hook(std::move(pruning));
  if (resume) trainer.resume();
  const auto outcome = trainer.run();
  log_info("best " + config.train.best_by + " " + std::to_string(trainer.state().best) +
           " at step " + std::to_string(trainer.state().best_step) +
           "; weights: " + (run / "model.safetensors").string());
  return outcome;
}

}  // namespace plateforge
