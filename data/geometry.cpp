#include "data/geometry.h"

#include <algorithm>
#include <cmath>

namespace plateforge {

// Perspective map of the unit square onto a quad in closed form (Heckbert, "Fundamentals of Texture
// Mapping and Image Warping", 1989, section 2.2.3).
Quad widen(const Quad& quad, double margin_x, double margin_y) {
  const cv::Point2d a = quad[0], b = quad[1], c = quad[2], d = quad[3];
  const cv::Point2d s = a - b + c - d, e = b - c, f = d - c;
  const double det = e.cross(f);
  const double g = det == 0 ? 0 : s.cross(f) / det, h = det == 0 ? 0 : e.cross(s) / det;
  const cv::Point2d du = b - a + g * b, dv = d - a + h * d;
  const auto at = [&](double u, double v) {
    const cv::Point2d p = a + u * du + v * dv;
    const double w = 1 + g * u + h * v;
    return cv::Point2f(static_cast<float>(p.x / w), static_cast<float>(p.y / w));
  };
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

}  // namespace plateforge
