#pragma once

#include <torch/types.h>

#include <functional>
#include <vector>

#include "models/graph/graph.h"

namespace plateforge {

// What one node computes, with LibTorch.
torch::Tensor execute(const Op& op, const std::vector<torch::Tensor>& inputs);

// Runs the graph and returns its outputs; gradients reach the constants that ask for them. `seen`,
// when given, is called with every computed tensor in order: observers and tests look in there.
using TensorCallback = std::function<void(const Node&, const torch::Tensor&)>;
std::vector<torch::Tensor> execute(const Graph& graph, const std::vector<torch::Tensor>& inputs,
                                   const TensorCallback& seen = {});

}  // namespace plateforge
