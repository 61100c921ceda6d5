#pragma once

#include <torch/types.h>

#include <optional>
#include <string>

namespace plateforge {

// Masks are bool tensors of a weight's shape: true = the weight stays. They are never stored: the
// zeros of a pruned weight are its mask.

// Removes the round(ratio * n) lowest scores (ties by position, so that the same scores always give
// the same mask) but never the last weight.
torch::Tensor mask_lowest(const torch::Tensor& scores, double ratio);

// "2:4": of every 4 consecutive input channels, at each place of the kernel and each output, the 2
// highest scores stay.
struct Pattern {
  int64_t kept = 2, group = 4;
  double ratio() const { return 1 - static_cast<double>(kept) / static_cast<double>(group); }
  // Does it divide the input channels of a weight [O, I, ...]?
  bool fits(const torch::Tensor& weight) const { return weight.size(1) % group == 0; }
};

// Throws Error unless the text is N:M with 0 < N < M. nullopt for "".
std::optional<Pattern> parse_pattern(const std::string& text);

// `scores` [O, I, ...] with I a multiple of the group.
torch::Tensor mask_pattern(const torch::Tensor& scores, const Pattern& pattern);

// Share of exact zeros.
double zero_share(const torch::Tensor& weight);

}  // namespace plateforge
