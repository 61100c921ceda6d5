#pragma once

#include <torch/types.h>

#include <vector>

#include "models/detector.h"

namespace plateforge {

struct AnchorLevel {
  int64_t stride = 8;
  std::vector<float> sides;  // of the square anchors of a location
};

// Anchors of a square input, put down location by location.
inline Anchors square_anchors(int64_t input, const std::vector<AnchorLevel>& levels) {
  Anchors anchors;
  std::vector<float> centers, boxes, strides;
  for (const auto& [stride, sides] : levels) {
    const size_t before = strides.size();
    for (int64_t y = 0; y < input; y += stride) {
      for (int64_t x = 0; x < input; x += stride) {
        const auto fx = static_cast<float>(x), fy = static_cast<float>(y);
        for (const float side : sides) {
          centers.insert(centers.end(), {fx, fy});
          boxes.insert(boxes.end(), {fx - side / 2, fy - side / 2, fx + side / 2, fy + side / 2});
          strides.push_back(static_cast<float>(stride));
        }
      }
    }
    anchors.level_sizes.push_back(static_cast<int64_t>(strides.size() - before));
  }
  anchors.centers = torch::tensor(centers).view({-1, 2});
  anchors.boxes = torch::tensor(boxes).view({-1, 4});
  anchors.strides = torch::tensor(strides);
  return anchors;
}

}  // namespace plateforge
