#pragma once

#include <cstdint>
#include <vector>

#include "data/plate.h"

namespace plateforge {

// Which plate of which source is the n-th sample of an endless weighted mix: a function of (seed,
// n) alone. Blocks of 1024 samples each hold every source in proportion to its weight (at least
// once), in shuffled order; each source walks through its own shuffled order without repeats, then
// again in a new one with the next epoch.
class MixSampler {
 public:
  struct Pick {
    size_t source;
    SampleKey key;
  };

  // One weight and one size per source, all positive.
  MixSampler(const std::vector<double>& weights, std::vector<int64_t> sizes, uint64_t seed);

  Pick operator()(int64_t n) const;

 private:
  std::vector<int64_t> sizes_, ends_;  // ends_[k]: first slot of a block behind source k
  uint64_t seed_;
};

}  // namespace plateforge
