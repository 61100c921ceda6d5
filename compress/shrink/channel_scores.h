#pragma once

#include <functional>
#include <string>
#include <vector>

#include "compress/shrink/channel_groups.h"
#include "models/tensor_dict.h"

namespace plateforge {

// How much each channel matters, by group and element; never negative.
//   norm    mean over the weights and norms that it has a share in of that share's L2 norm, divided
//           by the mean such norm in the group (DepGraph, Fang et al. 2023)
//   lamp    the same squared: with the cost of widths.h, LAMP (Lee et al. 2021) between groups
//   taylor  sum of |w * gradient| over its parameters (Molchanov et al. 2019)
using ChannelScores = std::vector<std::vector<double>>;

// `gradients` by parameter name are read by taylor alone.
ChannelScores channel_scores(const Graph& graph, const ChannelGroups& groups,
                             const std::string& kind, const TensorDict& gradients = {});

}  // namespace plateforge
