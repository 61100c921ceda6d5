#include "data/frames/corners.h"

#include <algorithm>
#include <cmath>

#include "configs/error.h"

namespace plateforge {
namespace {

constexpr float kLeastTurn = 0.02F;  // of a corner, where a parallelogram's is 1

cv::Point2f centre(const Quad& quad) { return (quad[0] + quad[1] + quad[2] + quad[3]) / 4; }

float area(const Quad& quad) {
  return static_cast<float>(std::abs((quad[2] - quad[0]).cross(quad[3] - quad[1])) / 2);
}

// Clockwise on the screen and without a fold, whatever the unit of either axis.
bool turns_clockwise(const Quad& quad) {
  const float least = kLeastTurn * area(quad);
  for (size_t i = 0; i < 4; ++i) {
    const auto in = quad[(i + 1) % 4] - quad[i], out = quad[(i + 2) % 4] - quad[(i + 1) % 4];
    if (in.cross(out) <= least) return false;
  }
  return true;
}

// How far the middle line points to the right when corner `first` is the left-top one.
float rightwards(const Quad& quad, size_t first) {
  const auto x = [&](size_t i) { return quad[(first + i) % 4].x; };
  return x(1) + x(2) - x(0) - x(3);
}

}  // namespace

cv::Rect2f extents(const Quad& quad) {
  const auto [left, right] = std::minmax({quad[0].x, quad[1].x, quad[2].x, quad[3].x});
  const auto [top, bottom] = std::minmax({quad[0].y, quad[1].y, quad[2].y, quad[3].y});
  return {cv::Point2f(left, top), cv::Point2f(right, bottom)};
}

Quad quad_of(const cv::Rect2f& box) {
  return {box.tl(), {box.br().x, box.y}, box.br(), {box.x, box.br().y}};
}

std::optional<Quad> in_order(const Quad& points) {
  const cv::Point2f middle = centre(points);
  Quad quad = points;
  // y grows downwards: a growing angle turns clockwise.
  std::sort(quad.begin(), quad.end(), [&](const cv::Point2f& a, const cv::Point2f& b) {
    return std::atan2(a.y - middle.y, a.x - middle.x) < std::atan2(b.y - middle.y, b.x - middle.x);
  });
  if (!turns_clockwise(quad)) return std::nullopt;
  size_t first = 0;
  for (size_t i = 1; i < 4; ++i) {
    if (rightwards(quad, i) > rightwards(quad, first)) first = i;
  }
  std::rotate(quad.begin(), quad.begin() + static_cast<ptrdiff_t>(first), quad.end());
  return quad;
}

bool check_plate(FramePlate& plate, bool repair) {
  for (const auto& point : outline(plate)) {
    require(std::isfinite(point.x) && std::isfinite(point.y),
            "a coordinate is not a finite number");
  }
  require(plate.box.width > 0 && plate.box.height > 0, "expected a box with an area, came ",
          plate.box.width, " x ", plate.box.height);
  if (!plate.corners) return false;
  const auto ordered = in_order(*plate.corners);
  require(ordered.has_value(), "the four corners do not form a convex quadrilateral in any order");
  if (*ordered == *plate.corners) return false;
  require(repair,
          "expected the corners left-top, right-top, right-bottom, left-bottom, came another order "
          "(corners=repair puts them in order)");
  plate.corners = ordered;
  return true;
}

void check_inside(const FramePlate& plate, const cv::Size2f& size) {
  const auto middle = centre(outline(plate));
  require(cv::Rect2f({0, 0}, size).contains(middle), "the plate around (", middle.x, ", ", middle.y,
          ") lies outside the picture of ", size.width, " x ", size.height);
}

}  // namespace plateforge
