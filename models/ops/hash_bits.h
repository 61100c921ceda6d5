#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

namespace plateforge::ops {

// Random numbers of dropout: functions of (seed, index), so that the backward pass makes the same
// ones again instead of reading them.

// SplitMix64 (Steele, Lea, Flood 2014): one hash holds four 16-bit uniform numbers.
inline uint64_t hash_bits(uint64_t seed, uint64_t index) {
  uint64_t value = seed + index * 0x9e3779b97f4a7c15ULL;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ULL;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebULL;
  return value ^ (value >> 31);
}

// One draw of LibTorch's CPU generator, whose state a checkpoint keeps.
uint64_t draw_seed();

// Elements whose 16 bits are below this are dropped, the others scaled.
struct DropRule {
  explicit DropRule(double p);
  int64_t threshold;  // of 65536
  float scale() const { return 65536.F / static_cast<float>(65536 - threshold); }
  // 0 or the scale, for each of `count` numbers.
  void factors(const uint16_t* numbers, int64_t count, float* out) const {
    const auto limit = static_cast<int32_t>(threshold);
    const float kept = scale();
    for (int64_t i = 0; i < count; ++i)
      out[i] = static_cast<int32_t>(numbers[i]) >= limit ? kept : 0.F;
  }
};

}  // namespace plateforge::ops
