#include "train/run_setup.h"

#include "compress/prune/sparsity_report.h"
#include "configs/error.h"
#include "configs/log.h"
#include "models/graph_network.h"
#include "train/compression_data.h"

namespace plateforge {
namespace {

// Quantisation-aware training goes on with the very network of the file.
Model quantized_start(const RunConfig& config, const Region& region) {
  auto model = load_model(config.model.init_from);
  const auto& own = model.config;
  require(model.region.alphabet() == region.alphabet(), config.model.init_from,
          " is quantised and reads region ", model.region.name(), "; it cannot learn region ",
          region.name(), ": start from the float model");
  require(own.width == config.model.width && own.height == config.model.height,
          config.model.init_from, " takes plates of ", own.width, " x ", own.height,
          "; set model.width and model.height to that");
  const auto* network = dynamic_cast<const GraphNetwork*>(model.network.get());
  if (network != nullptr && config.optim.quantizer_scales == "learned") {
    auto graph = network->graph();
    learn_scales(graph);
    model.network = std::make_shared<GraphNetwork>(std::move(graph));
  }
  log_info("training goes on with the network of " + config.model.init_from + ", scales " +
           config.optim.quantizer_scales);
  return model;
}

// A network that lost channels has no class of its own for another alphabet to take over.
void load_shrunk(Model& model, const TensorDict& tensors,
                 const std::map<std::string, std::string>& metadata, const Region& source,
                 const std::string& file) {
  require(source.alphabet() == model.region.alphabet(), file,
          " has lost channels and reads region ", source.name(), "; it cannot learn region ",
          model.region.name(), ": fine-tune the whole network for it, then remove channels");
  take_shapes(*model.network, tensors, metadata, file);
  load_state_dict(*model.network, tensors, file);
  log_info("training goes on with the shrunk network of " + file);
}

}  // namespace

Model make_start(const RunConfig& config, const Region& region) {
  const auto& file = config.model.init_from;
  const auto fresh = [&] {
    return make_model(config.model, region, static_cast<uint64_t>(config.seed));
  };
  if (file.empty()) return fresh();
  std::map<std::string, std::string> metadata;
  const auto tensors = read_tensors(file, metadata);
  if (metadata.contains("graph")) return quantized_start(config, region);
  auto model = fresh();
  const auto found = metadata.find("region");
  std::optional<Region> source;
  if (found != metadata.end()) source = Region::parse(found->second, file);
  if (metadata.contains(kShapesKey)) {
    load_shrunk(model, tensors, metadata, source ? *source : region, file);
  } else {
    const auto report = take_weights(model, tensors, source ? &*source : nullptr);
    log_info("weights from " + file + ": " + report);
  }
  if (const auto zeros = metadata.find(kSparsityKey); zeros != metadata.end())
    model.provenance[kSparsityKey] = zeros->second;
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

std::optional<Teacher> make_teacher(const RunConfig& config, const Region& region,
                                    torch::Device device) {
  const auto& file = config.distill.teacher;
  if (file.empty()) return std::nullopt;
  const auto model = load_model(file);
  require(model.region.alphabet() == region.alphabet(), "distill.teacher = ", file,
          " reads another alphabet than region = ", config.region);
  const bool teaches_texts = reads_slots(model.config) && !reads_slots(config.model);
  require(teaches_texts || reads_slots(model.config) == reads_slots(config.model),
          "distill.teacher = ", file, " reads by CTC, from which slots cannot learn");
  require(teaches_texts || time_steps(model.config) == time_steps(config.model),
          "distill.teacher = ", file, " has ", time_steps(model.config),
          " time steps, the network to train ", time_steps(config.model));
  model.network->to(device);
  model.network->eval();
  return Teacher{.network = model.network,
                 .size = input_size(model.config),
                 .weight = config.distill.weight,
                 .temperature = config.distill.temperature,
                 .teaches_texts = teaches_texts};
}

std::unique_ptr<PruneHook> make_prune_hook(const RunConfig& config, const Model& model,
                                           const ExamPtr& train, torch::Device device,
                                           const std::filesystem::path& run) {
  const auto zeros = model.provenance.find(kSparsityKey);
  const bool is_sparse = zeros != model.provenance.end();
  const bool prunes = config.prune.allocation != "none" || !config.prune.pattern.empty();
  if (!is_sparse && !prunes) return nullptr;
  PruneHook::Setup setup{.config = config.prune,
                         .updates = config.train.steps,
                         .image_shape = {1, 3, config.model.height, config.model.width},
                         .kept = {},
                         .calibration = {},
                         .scan_file = run / "sensitivity.json"};
  if (is_sparse) setup.kept = read_ratios(zeros->second, config.model.init_from);
  setup.calibration = [config, network = model.network, train, device] {
    return make_calibration(
        network, train, take_samples(*train, config.prune.calibration, config.data.train), device);
  };
  return std::make_unique<PruneHook>(std::move(setup));
}

}  // namespace plateforge
