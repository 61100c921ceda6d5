#pragma once

#include <torch/types.h>

#include <string>
#include <vector>

#include "models/graph/graph.h"

namespace plateforge {

// SmoothQuant (Xiao et al. 2023, arXiv 2211.10438): where a LayerNorm feeds linear layers alone,
// its few far-reaching channels would leave the others a handful of levels. Channel j of its weight
// and bias is divided by  s_j = max|x_j|^strength / max|W_j|^(1 - strength)  and column j of every
// reader multiplied by it: the float network computes the same. x is what the norm puts out on
// `batches` [n, 3, H, W], W what the readers multiply it with. Returns the norms' names.
// `strength` lies in (0, 1]; 0.5 halves the difficulty between activations and weights.
std::vector<std::string> smooth_norms(Graph& graph, double strength,
                                      const std::vector<torch::Tensor>& batches);

}  // namespace plateforge
