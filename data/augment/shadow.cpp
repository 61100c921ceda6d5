#include <algorithm>
#include <cmath>
#include <numbers>

#include "data/augment/op.h"

namespace plateforge::augment {

void shadow(cv::Mat& image, Rng& rng, double strength, double unit) {
  const double depth = std::min(strength * rng.uniform(0.15, 0.5), 0.85);
  const double angle = rng.uniform(0, 2 * std::numbers::pi);
  const double softness = pixel_unit(image, unit) * rng.uniform(1.0, 6.0);
  // The edge goes through a random point of the middle half.
  const double px = image.cols * rng.uniform(0.25, 0.75), py = image.rows * rng.uniform(0.25, 0.75);
  const double nx = std::cos(angle) / softness, ny = std::sin(angle) / softness;
  for (int y = 0; y < image.rows; ++y) {
    uint8_t* p = image.ptr<uint8_t>(y);
    for (int x = 0; x < image.cols; ++x, p += 3) {
      const double side = std::clamp(0.5 + (x - px) * nx + (y - py) * ny, 0.0, 1.0);
      const int keep = static_cast<int>(256 * (1 - depth * side));
      for (int k = 0; k < 3; ++k) p[k] = static_cast<uint8_t>(p[k] * keep >> 8);
    }
  }
}

}  // namespace plateforge::augment
