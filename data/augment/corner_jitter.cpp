#include "data/augment/op.h"

namespace plateforge::augment {

void Geometry::move_corners(const std::array<cv::Point2d, 4>& offsets) {
  const cv::Point2d across = (quad[1] + quad[2] - quad[0] - quad[3]) / 2;
  const cv::Point2d down = (quad[3] + quad[2] - quad[0] - quad[1]) / 2;
  for (size_t i = 0; i < 4; ++i) {
    quad[i] += cv::Point2f(across * offsets[i].x + down * offsets[i].y);
  }
}

void corner_jitter(Geometry& geometry, Rng& rng, double strength) {
  std::array<cv::Point2d, 4> offsets;
  for (auto& offset : offsets) {
    offset.x = strength * rng.uniform(-0.03, 0.03);
    offset.y = strength * rng.uniform(-0.06, 0.06);
  }
  geometry.move_corners(offsets);
}

}  // namespace plateforge::augment
