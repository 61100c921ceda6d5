#include "compress/quantize/quantizer.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace plateforge {
namespace {

using torch::Tensor;

constexpr double kSmallestShare = 0.01, kSmallestWeight = 8e-5;  // NNCF 3.1
constexpr double kBiasHeadroom = 0.95;

// Weight [.., C at axis, ..] as [C, rest].
Tensor by_channel(const Tensor& weight, int64_t axis) {
  return weight.movedim(axis, 0).reshape({weight.size(axis), -1});
}

}  // namespace

QuantizerScale quantizer_scale(ValueRange range, const QuantizerType& type) {
  const auto low = std::min(range.low, 0.0), high = std::max(range.high, 0.0);
  if (high - low < std::numeric_limits<float>::min()) return {1, type.symmetric ? 0 : type.low};
  if (type.symmetric) return {std::max(-low, high) / static_cast<double>(type.high), 0};
  const auto steps = static_cast<double>(type.high - type.low);
  const auto below = std::nearbyint(-low * steps / (high - low));  // steps below zero
  const auto scale =
      std::max(below > 0 ? -low / below : 0.0, below < steps ? high / (steps - below) : 0.0);
  return {scale, type.low + static_cast<int64_t>(below)};
}

Tensor weight_scales(const Tensor& weight, int64_t axis, const QuantizerType& type) {
  const auto largest = by_channel(weight.detach(), axis).abs().amax(1);
  const auto floor = std::max(largest.max().item<double>() * kSmallestShare, kSmallestWeight);
  return largest.clamp_min(floor) / static_cast<double>(type.high);
}

Tensor smallest_weight_scales(const Tensor& bias, double input_scale) {
  const double largest = kBiasHeadroom * std::numeric_limits<int32_t>::max();
  return bias.detach().abs() / (input_scale * largest);
}

Tensor fake_quantize_weight(const Tensor& weight, const Tensor& scales, int64_t axis,
                            const QuantizerType& type) {
  const auto zero_points = torch::zeros({scales.size(0)}, torch::kInt);
  return torch::fake_quantize_per_channel_affine(weight, scales, zero_points, axis, type.low,
                                                 type.high);
}

}  // namespace plateforge
