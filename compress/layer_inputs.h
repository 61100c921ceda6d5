#pragma once

#include <torch/types.h>

#include <string>
#include <vector>

#include "models/graph/graph.h"

namespace plateforge {

// What a convolution or linear layer multiplies with its weight. The graph is cut down to the part
// before the layer; its constants stay shared with the graph it came from, so that the inputs
// follow when earlier layers change.
class LayerInputs {
 public:
  // `parameter` is the weight's name. All nodes that read the weight count.
  LayerInputs(const Graph& graph, const std::string& parameter);

  // One row per place that the layer looks at: [groups, rows, inputs per output], the inputs in the
  // order of the weight's elements.
  torch::Tensor rows(const torch::Tensor& images) const;

 private:
  Graph before_;  // its outputs are the layer's inputs
  std::vector<Op> ops_;
  Shape weight_;
};

// Sums over all rows x of a layer and the rows y of the same layer of another graph.
struct InputProducts {
  torch::Tensor own;    // x x^T, [groups, inputs, inputs] double
  torch::Tensor cross;  // x y^T, the same without another graph
};
// `with_one` appends a constant 1 to x and y, the input that a bias multiplies.
InputProducts input_products(const LayerInputs& inputs, const LayerInputs* other,
                             const std::vector<torch::Tensor>& images, bool with_one);

}  // namespace plateforge
