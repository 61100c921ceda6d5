#pragma once

#include <torch/types.h>

#include "models/graph/graph.h"

namespace plateforge {

// The integers that stand for the values of a tensor: low..high, value = (integer - zero point) *
// scale. Symmetric ones have zero point 0.
struct QuantizerType {
  int64_t low = 0, high = 255;
  bool symmetric = false;

  bool operator==(const QuantizerType&) const = default;
};

inline constexpr QuantizerType kUint8{0, 255, false}, kUint16{0, 65535, false};
inline constexpr QuantizerType kInt8{-128, 127, true}, kInt16{-32768, 32767, true};
// Weights leave out -128, so that a channel and its negative are stored alike. Seven bits keep the
// 16-bit sums of two products, which CPUs without VNNI form, from saturating.
inline constexpr QuantizerType kWeight8{-127, 127, true}, kWeight7{-63, 63, true};

struct ValueRange {
  double low = 0, high = 0;
};

struct QuantizerScale {
  double scale = 1;
  int64_t zero_point = 0;
};

// Scale and zero point that cover the range. Zero is always exact (padding, pruned weights): the
// range is widened to hold it, and one border moves outward until it lies on the grid, as in NNCF's
// tune_range. A range of zero alone gets scale 1.
QuantizerScale quantizer_scale(ValueRange range, const QuantizerType& type);

// Per-channel scales [extent of axis] of a symmetric weight quantiser. A channel far below the
// others, or pruned to zeros, gets the scale of max(1 % of the largest channel, 8e-5) (NNCF).
torch::Tensor weight_scales(const torch::Tensor& weight, int64_t axis, const QuantizerType& type);

// The smallest weight scales [C] at which a bias [C], stored as int32 with scale input * weight
// scale, keeps 5 % distance from overflow.
torch::Tensor smallest_weight_scales(const torch::Tensor& bias, double input_scale);

// The integers' values again: what a tensor becomes that is stored with these scales [C] along
// `axis`.
torch::Tensor fake_quantize_weight(const torch::Tensor& weight, const torch::Tensor& scales,
                                   int64_t axis, const QuantizerType& type);

}  // namespace plateforge
