#pragma once

#include <vector>

#include "compress/quantize/placement.h"

namespace plateforge {

// The graph with a FakeQuantize node behind every tensor of the placement and in front of every
// weight. `activations` and `weights` hold the scales in the placement's order. They become buffers
// named after the (first) tensor, "relu_2_scale" and "relu_2_zero_point".
Graph insert_quantizers(Graph graph, const Placement& placement,
                        const std::vector<QuantizerScale>& activations,
                        const std::vector<torch::Tensor>& weights);

}  // namespace plateforge
