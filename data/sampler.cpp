#include "data/sampler.h"

#include <algorithm>
#include <numeric>
#include <stdexcept>

#include "data/permutation.h"

namespace plateforge {
namespace {

constexpr int64_t kBlock = 1024;

// Slots per source by largest remainder, each at least one.
std::vector<int64_t> share_out(const std::vector<double>& weights) {
  const double total = std::accumulate(weights.begin(), weights.end(), 0.0);
  std::vector<int64_t> slots;
  for (const double weight : weights) {
    const auto exact = static_cast<double>(kBlock) * weight / total;
    slots.push_back(std::max<int64_t>(1, static_cast<int64_t>(exact)));
  }
  const auto missing = [&](size_t k) {
    return static_cast<double>(kBlock) * weights[k] / total - static_cast<double>(slots[k]);
  };
  for (auto rest = kBlock - std::accumulate(slots.begin(), slots.end(), int64_t{0}); rest != 0;) {
    const int64_t sign = rest > 0 ? 1 : -1;
    size_t best = 0;
    for (size_t k = 1; k < slots.size(); ++k) {
      if (static_cast<double>(sign) * (missing(k) - missing(best)) > 0) best = k;
    }
    slots[best] += sign;
    rest -= sign;
  }
  return slots;
}

}  // namespace

MixSampler::MixSampler(const std::vector<double>& weights, std::vector<int64_t> sizes,
                       uint64_t seed)
    : sizes_(std::move(sizes)), seed_(seed) {
  if (weights.empty() || weights.size() != sizes_.size() ||
      weights.size() > static_cast<size_t>(kBlock) ||
      *std::min_element(sizes_.begin(), sizes_.end()) < 1 ||
      *std::min_element(weights.begin(), weights.end()) <= 0) {
    throw std::logic_error("MixSampler needs one positive weight and size per source");
  }
  const auto slots = share_out(weights);
  ends_.resize(slots.size());
  std::partial_sum(slots.begin(), slots.end(), ends_.begin());
}

MixSampler::Pick MixSampler::operator()(int64_t n) const {
  const int64_t block = n / kBlock;
  const int64_t slot = Permutation(kBlock, mix_key(seed_, block))(n % kBlock);
  const auto end = std::upper_bound(ends_.begin(), ends_.end(), slot);
  const auto source = static_cast<size_t>(end - ends_.begin());
  const int64_t first = source == 0 ? 0 : ends_[source - 1];
  // How often this source was drawn before: whole blocks, then the slots ahead of this one. Slots
  // inside a block are counted in slot order; the order in time does not matter for coverage.
  const int64_t draw = block * (*end - first) + (slot - first);
  const int64_t epoch = draw / sizes_[source];
  const Permutation order(sizes_[source], mix_key(seed_, source, epoch));
  return {source, {epoch, order(draw % sizes_[source])}};
}

}  // namespace plateforge
