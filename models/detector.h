#pragma once

#include <torch/types.h>

#include <array>
#include <vector>

#include "configs/detector_config.h"

namespace plateforge {

// What a detector's one output tensor means: [N, A, K], a row per anchor. Anchors are ordered by
// level (finest first), row, column, then scale. Distances are in strides of the anchor's level.
//   0                  score logit; its sigmoid is the predicted IoU (quality focal loss)
//   1 .. 4R            distances from the anchor's centre to left, top, right, bottom: R = 1, or R
//                      = reg_max + 1 logits each, whose softmax expectation is the distance
//   the last eight     corners minus centre: left-top, right-top, right-bottom, left-bottom, x
//                      and y each
struct DetectorOutput {
  int64_t bins = 1;  // R

  explicit DetectorOutput(const DetectorConfig& config)
      : bins(config.regression == "gfl" ? config.reg_max + 1 : 1) {}
  int64_t box() const { return 1; }
  int64_t corners() const { return 1 + 4 * bins; }
  int64_t size() const { return corners() + 8; }  // K
};

// Anchors of a network input, in its pixels. Location (row i, column j) of a level of stride s has
// its centre at (j s, i s), where the receptive field of stride-2 convolutions with kernel 3 and
// padding 1 is centred, and as SCRFD's parsers expect it.
struct Anchors {
  torch::Tensor centers;             // [A, 2] float: x, y
  torch::Tensor boxes;               // [A, 4] float: left, top, right, bottom
  torch::Tensor strides;             // [A] float
  std::vector<int64_t> level_sizes;  // anchors per level, sums to A
};
// A level of stride s has ceil(height / s) rows of ceil(width / s) locations, as many as the
// network makes of an input of any size. Throws Error as check_levels() does.
Anchors make_anchors(const DetectorConfig& config, int64_t height, int64_t width);

// Throws Error for fewer than two strides, one that is not twice the one before, and another number
// of anchor sizes than of strides.
void check_levels(const DetectorConfig& config);

// A plate found in a frame, pixels of the picture that the caller chose.
struct Point {
  float x = 0, y = 0;
};
struct Detection {
  float score = 0;                 // 0..1
  std::array<float, 4> box{};      // left, top, right, bottom
  std::array<Point, 4> corners{};  // left-top, right-top, right-bottom, left-bottom
};

}  // namespace plateforge
