#include "train/prune_hook.h"

#include <torch/utils.h>

#include "compress/prune/masks.h"
#include "compress/prune/pruner.h"
#include "compress/prune/sparsity_report.h"
#include "configs/error.h"
#include "configs/log.h"

namespace plateforge {
namespace {

using torch::Tensor;

constexpr const char* kTarget = "target";
constexpr const char* kKept = "kept";

void check(const PruneConfig& config) {
  if (config.schedule == "one_shot") return;
  const std::string rule = " judges the weights once, so that it needs prune.schedule = one_shot";
  require(config.scores == "magnitude", "prune.scores = ", config.scores, rule);
  require(config.pattern.empty(), "prune.pattern = ", config.pattern, rule);
  require(config.max_drop == 0 && config.max_bytes == 0, "prune.max_drop or prune.max_bytes", rule);
}

// A hook without anything to prune follows a schedule without cuts in the run.
PruneConfig followed(PruneConfig config, int64_t updates) {
  if (config.allocation == "none" && config.pattern.empty()) {
    config.schedule = "one_shot";
    config.begin = updates;
  }
  return config;
}

void put_ratios(StateDict& state, const std::string& kind, const auto& ratios) {
  for (const auto& [layer, ratio] : ratios) state.put(kind + "/" + layer, ratio);
}

std::map<std::string, double> take_ratios(const StateDict& state, const std::string& kind) {
  std::map<std::string, double> ratios;
  const auto prefix = kind + "/";
  for (const auto& [name, value] : state.values)
    if (name.starts_with(prefix)) ratios[name.substr(prefix.size())] = state.number(name);
  return ratios;
}

// Multiplies every tensor whose name ends in a masked parameter's ("exp_avg/backbone.0.weight").
void mask_all(const StateDict& state, const std::map<std::string, Tensor>& masks) {
  for (const auto& [name, tensor] : state.tensors) {
    const auto found = masks.find(name.substr(name.find('/') + 1));
    if (found != masks.end() && found->second.sizes() == tensor.sizes())
      Tensor(tensor).mul_(found->second);
  }
}

// Whether plates are looked at: for scores, for the allocation, or for BatchNorm after one cut (a
// gradual one leaves that to training).
bool measures(const PruneConfig& config) {
  return config.scores != "magnitude" || config.allocation == "sensitivity" ||
         config.max_drop > 0 || config.schedule == "one_shot";
}

}  // namespace

PruneHook::PruneHook(Setup setup)
    : setup_(std::move(setup)), schedule_(followed(setup_.config, setup_.updates), setup_.updates) {
  check(setup_.config);
}

void PruneHook::start(const TrainedState& trained) {
  read_masks(trained.network);
  if (prunes() && schedule_.cuts_at(0)) cut(trained, 0);
  apply_masks(trained);
}

void PruneHook::after_update(const TrainedState& trained, int64_t updates) {
  if (prunes() && schedule_.cuts_at(updates)) cut(trained, updates);
  apply_masks(trained);
}

bool PruneHook::is_final(int64_t updates) const { return !prunes() || schedule_.finished(updates); }

void PruneHook::cut(const TrainedState& trained, int64_t updates) {
  const torch::NoGradGuard no_grad;
  auto& network = trained.network;
  if (targets_.empty()) {
    Pruner pruner(network, setup_.image_shape, setup_.config,
                  measures(setup_.config) ? setup_.calibration() : Calibration{}, setup_.scan_file);
    if (setup_.config.schedule == "one_shot") {
      targets_ = pruner.prune();
    } else {
      const auto ratios = pruner.allocate_ratios(setup_.config.ratio);
      for (size_t i = 0; i < ratios.size(); ++i) targets_[pruner.layers()[i].name] = ratios[i];
    }
  }
  int64_t weights = 0, zeros = 0;
  for (auto& layer : prunable_layers(network, setup_.image_shape)) {
    if (setup_.config.schedule != "one_shot") {
      const double ratio = schedule_.ratio(targets_.at(layer.name), updates);
      layer.weight.mul_(mask_lowest(layer.weight.abs(), ratio));
    }
    weights += layer.weight.numel();
    zeros += layer.weight.numel() - layer.weight.count_nonzero().item<int64_t>();
  }
  read_masks(network);
  const auto share = 1000 * zeros / weights;
  log_info("after " + std::to_string(updates) + " updates " + std::to_string(share / 10) + "." +
           std::to_string(share % 10) + " % of the weights are zero");
}

// Zeros of layers that were or will be pruned. What was cut once stays cut: a mask is read before
// the optimiser can move the weight.
void PruneHook::read_masks(Network& network) {
  masks_.clear();
  for (const auto& item : network.named_parameters()) {
    const auto& parameter = item.key();
    const auto dot = parameter.rfind(".weight");
    const auto layer = parameter.substr(0, dot);
    const auto ratio = [&](const std::map<std::string, double>& ratios) {
      const auto found = ratios.find(layer);
      return found == ratios.end() ? 0 : found->second;
    };
    if (ratio(targets_) <= 0 && ratio(setup_.kept) <= 0) continue;
    const auto& weight = item.value();
    masks_[parameter] = (weight.detach() != 0).to(weight.scalar_type());
  }
}

void PruneHook::apply_masks(const TrainedState& trained) {
  if (masks_.empty()) return;
  const torch::NoGradGuard no_grad;
  for (auto& item : trained.network.named_parameters())
    if (const auto found = masks_.find(item.key()); found != masks_.end())
      item.value().mul_(found->second);
  mask_all(trained.optimizer.state(), masks_);
  if (trained.average) mask_all(trained.average->state(), masks_);
}

std::map<std::string, std::string> PruneHook::provenance(Network& network) const {
  std::map<std::string, double> ratios;
  for (const auto& layer : prunable_layers(network, setup_.image_shape))
    if (masks_.contains(layer.parameter)) ratios[layer.name] = zero_share(layer.weight);
  if (ratios.empty()) return {};
  return {{kSparsityKey, write_ratios(ratios)}};
}

StateDict PruneHook::state() const {
  StateDict state;
  put_ratios(state, kTarget, targets_);
  put_ratios(state, kKept, setup_.kept);
  return state;
}

void PruneHook::load(const StateDict& state, Network& network) {
  targets_ = take_ratios(state, kTarget);
  setup_.kept = take_ratios(state, kKept);
  read_masks(network);
}

}  // namespace plateforge
