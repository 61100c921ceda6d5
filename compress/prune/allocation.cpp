#include "compress/prune/allocation.h"

#include <algorithm>
#include <cmath>

#include "configs/error.h"
#include "configs/suggest.h"

namespace plateforge {
namespace {

using torch::Tensor;

std::vector<Tensor> each(const std::vector<Tensor>& tensors, Tensor (*change)(const Tensor&)) {
  std::vector<Tensor> changed;
  for (const auto& tensor : tensors) changed.push_back(change(tensor));
  return changed;
}

Tensor over_norm(const Tensor& scores) {
  return scores / scores.to(torch::kDouble).norm().clamp_min(1e-30);
}

Ratios allocate_by_rule(const PruneConfig& config, const std::vector<Tensor>& scores) {
  const auto& rule = config.allocation;
  if (rule == "layers") return Ratios(scores.size(), 0);
  if (rule == "uniform") return Ratios(scores.size(), config.ratio);
  if (rule == "global") return allocate_global(scores, config.ratio);
  if (rule == "norm_global") return allocate_global(each(scores, over_norm), config.ratio);
  if (rule == "erk") return allocate_erk(scores, config.ratio);
  if (rule == "lamp") return allocate_global(each(scores, lamp_scores), config.ratio);
  fail("the allocation '", rule, "' needs measurements on plates: name some with --calibrate");
}

}  // namespace

Ratios allocate_global(const std::vector<Tensor>& scores, double ratio) {
  std::vector<Tensor> flat;
  std::vector<int64_t> counts;
  for (const auto& layer : scores) {
    flat.push_back(layer.to(torch::kDouble).flatten());
    counts.push_back(layer.numel());
  }
  const auto all = torch::cat(flat);
  const auto removed = std::llround(ratio * static_cast<double>(all.numel()));
  const auto order = all.argsort(/*stable=*/true, /*dim=*/0, /*descending=*/false);
  auto gone = torch::zeros_like(all);
  gone.index_fill_(0, order.slice(0, 0, removed), 1);
  Ratios ratios;
  for (const auto& layer : gone.split_with_sizes(counts))
    ratios.push_back(layer.mean().item<double>());
  return ratios;
}

// Layers whose density would pass 1 are dense; the others share the rest.
Ratios allocate_erk(const std::vector<Tensor>& weights, double ratio) {
  struct Layer {
    double count, extents;
    bool dense;
  };
  std::vector<Layer> layers;
  double kept = 0;
  for (const auto& weight : weights) {
    double extents = 0;
    for (const auto extent : weight.sizes()) extents += static_cast<double>(extent);
    layers.push_back({static_cast<double>(weight.numel()), extents, false});
    kept += (1 - ratio) * layers.back().count;
  }
  double scale = 0;
  for (bool changed = true; changed;) {
    changed = false;
    double budget = kept, share = 0;  // a layer that is not dense keeps scale * extents weights
    for (const auto& layer : layers) {
      budget -= layer.dense ? layer.count : 0;
      share += layer.dense ? 0 : layer.extents;
    }
    scale = share > 0 ? std::max(0.0, budget) / share : 0;
    for (auto& layer : layers) {
      if (layer.dense || scale * layer.extents <= layer.count) continue;
      layer.dense = changed = true;
    }
  }
  Ratios ratios;
  for (const auto& layer : layers)
    ratios.push_back(layer.dense ? 0 : 1 - scale * layer.extents / layer.count);
  return ratios;
}

Tensor lamp_scores(const Tensor& scores) {
  const auto squares = scores.to(torch::kDouble).square().flatten();
  const auto [sorted, order] = squares.sort(/*stable=*/true, /*dim=*/0, /*descending=*/true);
  const auto not_lower = sorted.cumsum(0).clamp_min(1e-300);
  auto result = torch::empty_like(squares);
  result.index_copy_(0, order, sorted / not_lower);
  return result.reshape(scores.sizes());
}

Ratios allocate(const PruneConfig& config, const std::vector<PrunableLayer>& layers,
                const std::vector<Tensor>& scores) {
  TORCH_CHECK(layers.size() == scores.size(), "one tensor of scores per layer");
  require(config.ratio >= 0 && config.ratio < 1, "prune.ratio = ", config.ratio,
          " must lie in [0, 1): a network without weights reads nothing");
  const auto fixed = ratios_by_prefix(config.layers, layers);
  require(config.allocation != "layers" || !fixed.empty(),
          "the allocation 'layers' needs prune.layers, a list of PREFIX=RATIO; known layers: ",
          join(layer_names(layers)));
  std::vector<Tensor> free;
  for (size_t i = 0; i < layers.size(); ++i)
    if (!fixed.contains(layers[i].name)) free.push_back(scores[i]);
  const auto shared = free.empty() ? Ratios{} : allocate_by_rule(config, free);
  Ratios ratios;
  size_t next = 0;
  for (const auto& layer : layers) {
    const auto found = fixed.find(layer.name);
    ratios.push_back(found == fixed.end() ? shared[next++] : found->second);
  }
  return ratios;
}

}  // namespace plateforge
