#pragma once

#include <functional>
#include <map>
#include <string>

#include "models/graph/graph.h"

namespace plateforge {

// Microseconds, measured on this machine with LibTorch: one thread, one image, least of many runs.
// Other runtimes differ in the numbers, but like this one they compute channels in vectors of 8 or
// 16, so that a table of measured times knows steps that multiply-accumulates do not show.

// Least time of `rounds` calls on one thread; the first ones are not counted.
double least_microseconds(const std::function<void()>& work, int rounds);

// The whole network as it is deployed (BatchNorm folded).
double network_microseconds(const Graph& graph);

// Times of single operations at the shapes they are asked for, each measured once.
class LatencyTable {
 public:
  // Of a node at the shapes that `graph` gives its tensors (values are not read). 0 for what
  // runtimes do together with its neighbour: BatchNorm, ReLU, reshapes.
  double microseconds(const Graph& graph, const Node& node);
  double microseconds(const Graph& graph);

 private:
  std::map<std::string, double> known_;  // by operation, attributes and shapes
};

}  // namespace plateforge
