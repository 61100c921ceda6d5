#pragma once

#include "models/graph/aten_table.h"

namespace plateforge {

// Operators that become several nodes of the graph.

// (x - mean) / sqrt(variance + eps) * weight + bias over the last axes (arXiv 1607.06450)
TensorId layer_norm(AtenCall& call);

// (x - mean) / sqrt(variance + eps) * weight + bias over each group of channels of [N, C, ...]
// (arXiv 1803.08494)
TensorId group_norm(AtenCall& call);

// x * sigmoid(x)
TensorId silu(AtenCall& call);

// x (1 + erf(x / sqrt(2))) / 2, or with tanh for erf as LibTorch's "tanh" (arXiv 1606.08415)
TensorId gelu(AtenCall& call);

// x * clamp(x + 3, 0, 6) / 6 (MobileNetV3, arXiv 1905.02244)
TensorId hard_swish(AtenCall& call);

}  // namespace plateforge
