#pragma once

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>

#include <bit>
#include <cstdint>

// What the fused CPU kernels share. They see a channels_last tensor [N, C, H, W] as rows of C
// contiguous values, hold values as float or bfloat16 and compute in float. Loops over channels are
// plain, so that the compiler vectorises them for whatever CPU it is told.
namespace plateforge::ops {

enum class Bf16 : uint16_t {};  // the bits; a scalar type, which loops over structs would not be

inline float load(float value) { return value; }
inline float load(Bf16 value) { return std::bit_cast<float>(static_cast<uint32_t>(value) << 16); }
inline void store(float& target, float value) { target = value; }
inline void store(Bf16& target, float value) {  // to nearest even
  const auto bits = std::bit_cast<uint32_t>(value);
  target = static_cast<Bf16>((bits + 0x7fffU + ((bits >> 16) & 1U)) >> 16);
}

// Work is cut into a fixed number of chunks whatever the number of threads, so that sums come out
// bit-equal on any machine setting.
constexpr int64_t kChunks = 64;

template <int64_t Chunks = kChunks, class Body>
void for_chunks(int64_t rows, const Body& body) {
  at::parallel_for(0, Chunks, 1, [&](int64_t first, int64_t last) {
    for (int64_t chunk = first; chunk < last; ++chunk)
      body(chunk, rows * chunk / Chunks, rows * (chunk + 1) / Chunks);
  });
}

// Calls body with a null pointer of the tensor's element type, float or Bf16.
template <class Body>
void with_element_type(const at::Tensor& tensor, const Body& body) {
  if (tensor.scalar_type() == at::kBFloat16)
    body(static_cast<Bf16*>(nullptr));
  else
    body(static_cast<float*>(nullptr));
}

template <class T>
const T* input(const at::Tensor& tensor) {
  return static_cast<const T*>(tensor.const_data_ptr());
}
template <class T>
T* output(at::Tensor& tensor) {
  return static_cast<T*>(tensor.mutable_data_ptr());
}

// A gradient in the layout and type of the tensor it belongs to.
inline at::Tensor gradient_like(const at::Tensor& gradient, at::ScalarType type) {
  return gradient.to(type).contiguous(at::MemoryFormat::ChannelsLast);
}

}  // namespace plateforge::ops
