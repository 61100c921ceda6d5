#include <algorithm>
#include <cmath>

#include "data/augment/op.h"

namespace plateforge::augment {

void glare(cv::Mat& image, Rng& rng, double strength, double /*unit*/) {
  const double peak = std::min(strength * rng.uniform(30, 120), 255.0);
  const double cx = image.cols * rng.uniform(), cy = image.rows * rng.uniform();
  const double rx = image.cols * rng.uniform(0.08, 0.5), ry = image.rows * rng.uniform(0.2, 0.8);
  for (int y = 0; y < image.rows; ++y) {
    uint8_t* p = image.ptr<uint8_t>(y);
    const double v = (y - cy) / ry;
    for (int x = 0; x < image.cols; ++x, p += 3) {
      const double u = (x - cx) / rx, inside = 1 - u * u - v * v;
      if (inside <= 0) continue;
      const int added = static_cast<int>(peak * inside * inside);
      for (int k = 0; k < 3; ++k) p[k] = static_cast<uint8_t>(std::min(p[k] + added, 255));
    }
  }
}

}  // namespace plateforge::augment
