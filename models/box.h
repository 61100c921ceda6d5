#pragma once

#include <algorithm>
#include <array>

namespace plateforge {

// An upright box: left, top, right, bottom. One that ends before it begins has no area.
using Box = std::array<float, 4>;

inline double area(const Box& box) {
  return std::max(0.0, double{box[2]} - box[0]) * std::max(0.0, double{box[3]} - box[1]);
}
inline double intersection(const Box& a, const Box& b) {
  return area(
      {std::max(a[0], b[0]), std::max(a[1], b[1]), std::min(a[2], b[2]), std::min(a[3], b[3])});
}
// Intersection over union, 0..1; 0 when neither box has an area.
inline double iou(const Box& a, const Box& b) {
  const double both = intersection(a, b), either = area(a) + area(b) - both;
  return either > 0 ? both / either : 0;
}

}  // namespace plateforge
