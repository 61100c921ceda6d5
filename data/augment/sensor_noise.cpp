#include <algorithm>
#include <cmath>

#include "data/augment/op.h"

namespace plateforge::augment {

void sensor_noise(cv::Mat& image, Rng& rng, double strength, double /*unit*/) {
  const double sigma = strength * rng.uniform(1.0, 10.0);
  const double shot = rng.uniform(0.0, 0.7);  // share of the variance that grows with brightness
  float scale[256];
  // The sum of four uniform bytes has standard deviation sqrt(4 (256^2 - 1) / 12) = 147.8.
  for (int level = 0; level < 256; ++level) {
    const double variance = (1 - shot) + shot * level / 128.0;
    scale[level] = static_cast<float>(sigma * std::sqrt(variance) / 147.8);
  }
  const auto spread = [](uint32_t bytes) {  // close to normal, mean 0
    return static_cast<int>((bytes & 255) + (bytes >> 8 & 255) + (bytes >> 16 & 255) +
                            (bytes >> 24)) -
           510;
  };
  for (int y = 0; y < image.rows; ++y) {
    uint8_t* p = image.ptr<uint8_t>(y);
    uint64_t bits = 0;
    for (int x = 0; x < 3 * image.cols; ++x) {
      bits = x % 2 == 0 ? rng.next() : bits >> 32;
      const float noise = scale[p[x]] * static_cast<float>(spread(static_cast<uint32_t>(bits)));
      const int value = static_cast<int>(static_cast<float>(p[x]) + noise + 0.5F);
      p[x] = static_cast<uint8_t>(std::clamp(value, 0, 255));
    }
  }
}

}  // namespace plateforge::augment
