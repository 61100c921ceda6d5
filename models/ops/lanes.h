#pragma once

#include <cstdint>

// Vectors of the compiler's own kind for kernels whose sums must stay in registers. One has as many
// lanes as a register of the CPU compiled for; kRegisters is how many of them there are.
namespace plateforge::ops {

#ifdef __AVX512F__
constexpr int64_t kLanes = 16, kRegisters = 32;
#else
constexpr int64_t kLanes = 8, kRegisters = 16;
#endif

using Vector = float __attribute__((vector_size(4 * kLanes)));
using VectorInMemory = float __attribute__((vector_size(4 * kLanes), aligned(4), may_alias));

inline const VectorInMemory& vector_at(const float* values) {
  return *reinterpret_cast<const VectorInMemory*>(values);
}
inline VectorInMemory& vector_at(float* values) {
  return *reinterpret_cast<VectorInMemory*>(values);
}

}  // namespace plateforge::ops
