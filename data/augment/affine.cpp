#include <cmath>
#include <numbers>

#include "data/augment/op.h"

namespace plateforge::augment {

void affine(Geometry& geometry, Rng& rng, double strength) {
  const double aspect = static_cast<double>(geometry.size.width) / geometry.size.height;
  const double angle = strength * rng.uniform(-4, 4) * std::numbers::pi / 180;
  const double shear = strength * rng.uniform(-0.15, 0.15);
  const double scale_x = std::exp(strength * rng.uniform(-0.06, 0.06));
  const double scale_y = std::exp(strength * rng.uniform(-0.06, 0.06));
  const double shift_x = strength * rng.uniform(-0.02, 0.02);
  const double shift_y = strength * rng.uniform(-0.04, 0.04);
  const std::array<cv::Point2d, 4> kCorners = {
      cv::Point2d{-0.5, -0.5}, {0.5, -0.5}, {0.5, 0.5}, {-0.5, 0.5}};
  std::array<cv::Point2d, 4> offsets;
  for (size_t i = 0; i < 4; ++i) {
    // In units of the plate's height, where an angle is an angle.
    const double x = kCorners[i].x * aspect * scale_x + shear * kCorners[i].y;
    const double y = kCorners[i].y * scale_y;
    const double turned_x = x * std::cos(angle) - y * std::sin(angle);
    const double turned_y = x * std::sin(angle) + y * std::cos(angle);
    offsets[i] = {turned_x / aspect - kCorners[i].x + shift_x, turned_y - kCorners[i].y + shift_y};
  }
  geometry.move_corners(offsets);
}

}  // namespace plateforge::augment
