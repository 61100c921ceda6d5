#include <algorithm>
#include <cmath>

#include "data/augment/op.h"

namespace plateforge::augment {
namespace {

// One soft-edged, ragged blob of a dull colour.
void blob(cv::Mat& image, Rng& rng, double strength, double unit) {
  const double opacity = std::min(strength * rng.uniform(0.15, 0.6), 0.95);
  const double tone = rng.uniform(20, 170);
  const double colour[3] = {tone * rng.uniform(0.6, 1.0), tone * rng.uniform(0.8, 1.0), tone};
  const double cx = image.cols * rng.uniform(), cy = image.rows * rng.uniform();
  const double radius = pixel_unit(image, unit) * rng.uniform(1.5, 6.0);
  const double stretch = rng.uniform(0.6, 2.0);
  const double lobes = 2 + static_cast<double>(rng.below(5)), phase = rng.uniform(0, 6.28);
  const int x_end = std::min(static_cast<int>(cx + 1.4 * radius * stretch) + 1, image.cols);
  const int y_end = std::min(static_cast<int>(cy + 1.4 * radius) + 1, image.rows);
  for (int y = std::max(static_cast<int>(cy - 1.4 * radius), 0); y < y_end; ++y) {
    for (int x = std::max(static_cast<int>(cx - 1.4 * radius * stretch), 0); x < x_end; ++x) {
      const double u = (x - cx) / (radius * stretch), v = (y - cy) / radius;
      const double edge = 1 + 0.35 * std::sin(lobes * std::atan2(v, u) + phase);
      const double alpha = opacity * std::clamp(2.5 * (edge - std::hypot(u, v)), 0.0, 1.0);
      uint8_t* p = image.ptr<uint8_t>(y) + 3 * x;
      for (int k = 0; k < 3; ++k) {
        p[k] = static_cast<uint8_t>(p[k] + alpha * (colour[k] - p[k]));
      }
    }
  }
}

}  // namespace

void dirt(cv::Mat& image, Rng& rng, double strength, double unit) {
  for (int64_t left = 1 + rng.below(4); left > 0; --left) blob(image, rng, strength, unit);
}

}  // namespace plateforge::augment
