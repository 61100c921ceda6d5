#include "data/geometry.h"

#include <algorithm>
#include <cmath>

#include "data/rectify.h"

namespace plateforge {

Quad widen(const Quad& quad, double margin_x, double margin_y) {
  const Homography at(quad);
  return {at(-margin_x, -margin_y), at(1 + margin_x, -margin_y), at(1 + margin_x, 1 + margin_y),
          at(-margin_x, 1 + margin_y)};
}

cv::Rect surroundings(const Quad& quad, double margin, const cv::Size& size) {
  auto [left, right] = std::minmax({quad[0].x, quad[1].x, quad[2].x, quad[3].x});
  auto [top, bottom] = std::minmax({quad[0].y, quad[1].y, quad[2].y, quad[3].y});
  const double dx = margin * (right - left), dy = margin * (bottom - top);
  const int x0 = std::clamp(static_cast<int>(std::floor(left - dx)), 0, size.width - 1);
  const int y0 = std::clamp(static_cast<int>(std::floor(top - dy)), 0, size.height - 1);
  const int x1 = std::clamp(static_cast<int>(std::ceil(right + dx)), x0 + 1, size.width);
  const int y1 = std::clamp(static_cast<int>(std::ceil(bottom + dy)), y0 + 1, size.height);
  return {cv::Point(x0, y0), cv::Point(x1, y1)};
}

cv::Size2f side_lengths(const Quad& quad) {
  const auto length = [&](size_t i, size_t j) {
    return std::hypot(quad[i].x - quad[j].x, quad[i].y - quad[j].y);
  };
  return {(length(0, 1) + length(3, 2)) / 2, (length(0, 3) + length(1, 2)) / 2};
}

double aspect_of(const Plate& plate) {
  if (plate.aspect > 0) return plate.aspect;
  const auto sides = side_lengths(plate.quad);
  return static_cast<double>(sides.width) / static_cast<double>(sides.height);
}

}  // namespace plateforge
