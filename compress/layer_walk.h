#pragma once

#include <torch/types.h>

#include <functional>
#include <vector>

#include "models/graph/graph.h"

namespace plateforge {

// One quantised layer on a walk: what reaches it in the quantised network, behind all corrections
// made so far, and what the float network computes there. One tensor per batch.
struct LayerStep {
  const Node& layer;  // of the quantised graph
  const std::vector<torch::Tensor>& inputs;
  const std::vector<torch::Tensor>& exact_inputs;
  const std::vector<torch::Tensor>& exact_outputs;  // in front of the ReLU
  // May be replaced: the walk goes on with the new values and the graph keeps them. The weight is
  // fake-quantised; a new one must lie on the same grid. The bias is undefined where there is none.
  torch::Tensor weight, bias;
  const torch::Tensor& exact_weight;

  torch::Tensor run(const torch::Tensor& input, const torch::Tensor& with_weight,
                    const torch::Tensor& with_bias) const;
};

// Runs `exact` and `quantized`, which insert_quantizers made of it, side by side over the batches,
// node by node, and stops at every layer with a quantised weight before it is computed. One pass
// over the network, however many layers are changed on the way.
using LayerVisitor = std::function<void(LayerStep&)>;
void walk_layers(const Graph& exact, Graph& quantized, const std::vector<torch::Tensor>& batches,
                 const LayerVisitor& visit);

}  // namespace plateforge
