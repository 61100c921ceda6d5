#pragma once

#include "models/graph/graph.h"
#include "models/network.h"

namespace plateforge {

// A network that is a graph: what compression makes of another one (BatchNorm folded, values
// fake-quantised, weights changed). It trains, saves, loads and exports like any other network.
//
// Scales of its quantisers are buffers, or parameters once learn_scales() was called on the graph.
class GraphNetwork : public Network {
 public:
  // One input and one output, the batch open. Parameters and buffers of the module are copies of
  // the graph's constants, under their names.
  explicit GraphNetwork(Graph graph);

  torch::Tensor forward(const torch::Tensor& images) override;

  // Its constants share memory with the module's parameters and buffers.
  const Graph& graph() const { return graph_; }

 private:
  Graph graph_;
  Graph run_;  // the same constants, without what need not be computed
};

// Lets training move the scales of all quantisers in the graph.
void learn_scales(Graph& graph);

}  // namespace plateforge
