#pragma once

#include <optional>
#include <string>

#include "models/graph/graph.h"

namespace plateforge {

// The integers behind a fake-quantised tensor.
struct Grid {
  int64_t low = 0, high = 255, axis = -1;
  TensorId scale = 0, zero_point = 0;
};

// The grid of a tensor that a FakeQuantize computes.
std::optional<Grid> grid_of(const Graph& graph, TensorId id);

// The profile whose file holds the graph as it stands: "int8-u8" or "int8-s8" by the sign of its
// activations, "int8-dynamic", "int8-weights" when only weights are integers, "fp32" without any.
std::string natural_profile(const Graph& graph);

// An average pool between two 8-bit quantisers becomes the depthwise convolution with weights
// 1 / window, quantised without error. ONNX Runtime's integer average pool is slower than the float
// one, its depthwise convolution several times faster.
void spell_average_pools(Graph& graph);

// Arranges fake quantisers the way integer kernels want them, without changing a value:
// * one per tensor: those that repeat another are merged, those on a tensor that is already on the
//   same grid disappear;
// * what only moves or picks values (max-pool, slice, reshape, permute, concat of one grid) gets
//   its input's quantiser behind it too, so that a runtime can run it on integers.
void arrange_quantizers(Graph& graph);

}  // namespace plateforge
