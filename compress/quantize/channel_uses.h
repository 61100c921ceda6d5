#pragma once

#include <optional>
#include <string>
#include <vector>

#include "models/graph/graph.h"

namespace plateforge {

// Somewhere a layer's output channels end: at another layer, which can multiply them in its
// weight, or at a node that cannot.
struct ChannelUse {
  std::string node;
  TensorId tensor = 0;            // what the node reads
  std::vector<int64_t> channels;  // which channels, in the order of `tensor`
  bool absorbs = false;           // the node is a layer with a weight of its own
};

// A layer whose output channels can be divided by factors if every use multiplies them again.
struct ScalableOutput {
  std::string layer;
  TensorId output = 0;  // behind the ReLU, if one alone reads the layer
  int64_t axis = 1;     // of the channels
  std::vector<ChannelUse> uses;
};

// The scalable outputs of a simplified graph, in order. Channels are followed through ReLU, pooling
// and slices. An output is left out when it is the graph's, when a residual Add or a concatenation
// takes it as it is (a Multiply there would keep integers from running through), or when no layer
// absorbs.
std::vector<ScalableOutput> scalable_outputs(const Graph& graph);

}  // namespace plateforge
