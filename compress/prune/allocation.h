#pragma once

#include <torch/types.h>

#include <vector>

#include "compress/layers.h"
#include "configs/run_config.h"

namespace plateforge {

// How many of each layer's weights go: one ratio per layer, in the layers' order.
using Ratios = std::vector<double>;

// Ratios by config.allocation from one tensor of scores per layer (|w| for plain magnitude):
//   layers       config.layers alone; the rest stays dense
//   uniform      config.ratio everywhere
//   global       one cut through all scores
//   norm_global  the same after dividing each layer's scores by their L2 norm (as NNCF does)
//   erk          density in proportion to (sum of extents) / (product), Erdos-Renyi kernel (Evci et
//                al. 2020, arXiv 1911.11134)
//   lamp         one cut through score^2 / sum of the layer's scores^2 that are not lower (Lee et
//                al. 2021, arXiv 2010.07611)
// Layers named in config.layers keep the ratio they have there under every rule; config.ratio is
// the share of all other prunable weights together. Throws Error for a ratio outside [0, 1), a name
// that no layer has, and "sensitivity", which needs measurements (sensitivity.h).
Ratios allocate(const PruneConfig& config, const std::vector<PrunableLayer>& layers,
                const std::vector<torch::Tensor>& scores);

// The rules one by one, for `ratio` of all weights.
Ratios allocate_global(const std::vector<torch::Tensor>& scores, double ratio);
Ratios allocate_erk(const std::vector<torch::Tensor>& weights, double ratio);
// LAMP's scores, comparable between layers.
torch::Tensor lamp_scores(const torch::Tensor& scores);

}  // namespace plateforge
