#pragma once

#include <torch/types.h>

#include "models/graph/ops.h"

namespace plateforge::ops {

// op::FakeQuantize, differentiable. The gradient of x is that of y where x lies inside the range
// and zero elsewhere (straight-through; a range that starts at real zero stands behind a ReLU and
// passes positive x only). A scale that asks for a gradient gets that of LSQ (Esser et al.,
// "Learned Step Size Quantization", ICLR 2020, eq. 3 and section 2.2): with v = x / scale
//   d y / d scale = round(v) - v inside, low - zero point below, high - zero point above,
// times 1 / sqrt(elements per scale * (high - zero point)).
// Float and bfloat16 on the CPU run as one pass each way; other devices use LibTorch's operators.
torch::Tensor fake_quantize(const op::FakeQuantize& op, const torch::Tensor& x,
                            const torch::Tensor& scale, const torch::Tensor& zero_point);

}  // namespace plateforge::ops
