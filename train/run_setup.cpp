#include "train/run_setup.h"

#include "configs/log.h"

namespace plateforge {
namespace {

cv::Size input_size(const ModelConfig& model) {
  return {static_cast<int>(model.width), static_cast<int>(model.height)};
}

}  // namespace

Model make_start(const RunConfig& config, const Region& region) {
  auto model = make_model(config.model, region, static_cast<uint64_t>(config.seed));
  if (config.model.init_from.empty()) return model;
  std::map<std::string, std::string> metadata;
  const auto tensors = read_tensors(config.model.init_from, metadata);
  const auto found = metadata.find("region");
  std::optional<Region> source;
  if (found != metadata.end()) source = Region::parse(found->second, config.model.init_from);
  const auto report = take_weights(model, tensors, source ? &*source : nullptr);
  log_info("weights from " + config.model.init_from + ": " + report);
  return model;
}

LoaderOptions train_loader_options(const RunConfig& config) {
  return {.batch_size = config.data.batch_size,
          .workers = config.data.workers,
          .prefetch = config.data.prefetch,
          .epoch_samples = config.data.epoch_samples,
          .seed = static_cast<uint64_t>(config.seed),
          .size = input_size(config.model)};
}

LoaderOptions val_loader_options(const RunConfig& config) {
  return {.batch_size = config.data.batch_size,
          .workers = 0,
          .shuffle = false,
          .size = input_size(config.model)};
}

}  // namespace plateforge
