#pragma once

#include <torch/types.h>

#include <map>
#include <set>
#include <vector>

#include "compress/quantize/observers.h"
#include "models/graph/graph.h"

namespace plateforge {

// What the calibration pictures make of some tensors of a graph. `batches` are network inputs
// [n, 3, H, W] float; they are run once for ranges and once more for histograms. Throws Error
// naming the layer for values that are not finite.
using TensorsStatistics = std::map<TensorId, TensorStatistics>;
TensorsStatistics calibrate(const Graph& graph, const std::vector<torch::Tensor>& batches,
                            const std::set<TensorId>& tensors, bool histograms);

}  // namespace plateforge
