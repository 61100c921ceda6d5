// From a detector's decoded outputs to plates. Plain C++17 that needs nothing but this file.
#pragma once

#include <algorithm>
#include <array>
#include <vector>

struct PlateBox {
  float score = 0;                 // 0..1
  std::array<float, 4> box{};      // left, top, right, bottom, pixels of the network's input
  std::array<float, 8> corners{};  // left-top, right-top, right-bottom, left-bottom, x and y each
};

inline float overlap(const PlateBox& a, const PlateBox& b) {  // intersection over union
  const auto area = [](const std::array<float, 4>& box) {
    return std::max(0.0F, box[2] - box[0]) * std::max(0.0F, box[3] - box[1]);
  };
  const float both = area({std::max(a.box[0], b.box[0]), std::max(a.box[1], b.box[1]),
                           std::min(a.box[2], b.box[2]), std::min(a.box[3], b.box[3])});
  const float either = area(a.box) + area(b.box) - both;
  return either > 0 ? both / either : 0;
}

// `scores` [anchors], `boxes` [anchors, 4] and `corners` [anchors, 8] of one picture. Plates with
// at least `least_score`, best first; of two that overlap by more than `most_overlap` the better
// one. Boxes are clipped to the input.
inline std::vector<PlateBox> plate_boxes(const float* scores, const float* boxes,
                                         const float* corners, int anchors, float least_score,
                                         float most_overlap, float width, float height) {
  std::vector<PlateBox> found;
  for (int i = 0; i < anchors; ++i) {
    if (!(scores[i] >= least_score)) continue;
    PlateBox plate;
    plate.score = scores[i];
    for (int k = 0; k < 4; ++k)
      plate.box[k] = std::clamp(boxes[4 * i + k], 0.0F, k % 2 ? height : width);
    std::copy_n(corners + 8 * i, 8, plate.corners.begin());
    found.push_back(plate);
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const PlateBox& a, const PlateBox& b) { return a.score > b.score; });
  std::vector<PlateBox> kept;
  for (const auto& plate : found)
    if (std::none_of(kept.begin(), kept.end(),
                     [&](const PlateBox& better) { return overlap(plate, better) > most_overlap; }))
      kept.push_back(plate);
  return kept;
}
