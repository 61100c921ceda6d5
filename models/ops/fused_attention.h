#pragma once

#include <ATen/core/Tensor.h>

namespace plateforge::ops {

// Attention of short sequences on the CPU, float or bfloat16, in one pass per plate and head: all
// that lies between the projections stays in the first cache. Dropout hashes as fused_dropout()
// does.
//   tokens  [N, T, 3 D]: queries, keys, values -> [N, T, D]
at::Tensor fused_self_attention(const at::Tensor& tokens, int64_t heads, double dropout);
//   query   [N, S, D]
//   memory  [N, T, 2 D]: keys, values, of the query's type -> [N, S, D]
at::Tensor fused_cross_attention(const at::Tensor& query, const at::Tensor& memory, int64_t heads,
                                 double dropout);

// Whether a sequence of this length and head width fits the kernel's buffers.
bool fits_attention(int64_t queries, int64_t keys, int64_t width);

}  // namespace plateforge::ops
