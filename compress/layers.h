#pragma once

#include <torch/types.h>

#include <map>
#include <string>
#include <vector>

#include "models/graph/graph.h"
#include "models/network.h"

namespace plateforge {

// A layer whose weight pruning may thin out: a convolution or linear layer of the traced network.
struct PrunableLayer {
  std::string name;       // its weight's parameter name without ".weight"
  std::string parameter;  // the weight's name in the module and in the graph
  torch::Tensor weight;   // [O, I / groups, kH, kW] or [O, I]; the module's own memory
  torch::Tensor bias;     // [O], the module's own memory; undefined without one
  int64_t macs = 0;       // per image, while dense
};

// The constant behind a node's weight input, through its fake quantiser if it has one.
TensorId stored_weight(const Graph& graph, TensorId weight);

// The axis along which a convolution, linear layer or product counts channels in an input or output
// of that rank.
int64_t channel_axis(const Node& layer, int64_t rank);

// Multiplies a constant, in double.
void scale_constant(Graph& graph, TensorId id, const torch::Tensor& factors);

// In execution order, each weight once. `image_shape` is [1, 3, H, W]. The tensors are the module's
// until it moves to another device.
std::vector<PrunableLayer> prunable_layers(Network& network, const Shape& image_shape);

// Of each layer, in order.
std::vector<std::string> layer_names(const std::vector<PrunableLayer>& layers);
std::vector<torch::Tensor> weights_of(const std::vector<PrunableLayer>& layers);

// "PREFIX=RATIO" as the ratio of every layer below the prefix (whole name components; the longest
// prefix wins). Throws Error for a prefix that names no layer, listing the known ones, and for a
// ratio outside [0, 1).
std::map<std::string, double> ratios_by_prefix(const std::vector<std::string>& entries,
                                               const std::vector<PrunableLayer>& layers);

}  // namespace plateforge
