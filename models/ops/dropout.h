#pragma once

#include <ATen/core/Tensor.h>

namespace plateforge::ops {

// Dropout for float or bfloat16 tensors on the CPU, contiguous or channels_last. Whether element i
// stays is a hash of (seed, i), and the seed one draw of torch's CPU generator: nothing is stored
// for the backward pass, which hashes again. p is rounded to a multiple of 2^-16.
at::Tensor fused_dropout(const at::Tensor& x, double p);

}  // namespace plateforge::ops
