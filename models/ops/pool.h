#pragma once

#include <ATen/core/Tensor.h>

#include "models/ops/layers.h"

namespace plateforge::ops {

// pool_with_tap() of layers.h for float or bfloat16 channels_last tensors on the CPU. Forward reads
// each picture once from memory; backward writes each gradient once, the channels that the slice
// drops and the tap's share included. A NaN spreads through the maximum only when it is first.
PooledTap fused_pool_with_tap(const at::Tensor& x, const PoolStride& stride,
                              const AverageWindow& window);

}  // namespace plateforge::ops
