#pragma once

#include <bit>
#include <cstdint>

#include "data/rng.h"

namespace plateforge {

// A shuffled order of 0..size-1 as a function: no table, so position n of any epoch costs the same
// and nothing has to be saved to resume. Four-round Feistel network over the next even number of
// bits, repeated until the value falls into range (cycle walking, Black & Rogaway 2002); at most
// four tries are expected.
class Permutation {
 public:
  Permutation(int64_t size, uint64_t key) : size_(static_cast<uint64_t>(size)), key_(key) {
    const auto bits = static_cast<int>(std::bit_width(size_ > 1 ? size_ - 1 : 1));
    half_ = (bits + 1) / 2;
    mask_ = (uint64_t{1} << half_) - 1;
  }

  // 0 <= n < size
  int64_t operator()(int64_t n) const {
    auto x = static_cast<uint64_t>(n);
    do {
      uint64_t left = x >> half_, right = x & mask_;
      for (uint64_t round = 0; round < 4; ++round) {
        const uint64_t next = left ^ (mix_key(key_, round, right) & mask_);
        left = right;
        right = next;
      }
      x = left << half_ | right;
    } while (x >= size_);
    return static_cast<int64_t>(x);
  }

 private:
  uint64_t size_, key_, mask_;
  int half_;
};

}  // namespace plateforge
