#include <algorithm>

#include "data/augment/op.h"

namespace plateforge::augment {

// The rectangle stays narrower than a character at strength 1, so that the text remains readable.
void cutout(cv::Mat& image, Rng& rng, double strength, double /*unit*/) {
  const auto part = [&](int extent, double low, double high) {
    const int length = static_cast<int>(extent * strength * rng.uniform(low, high));
    return std::clamp(length, 1, extent);
  };
  const int width = part(image.cols, 0.02, 0.12), height = part(image.rows, 0.08, 0.4);
  const int x = static_cast<int>(rng.below(image.cols - width + 1));
  const int y = static_cast<int>(rng.below(image.rows - height + 1));
  const cv::Scalar colour(rng.uniform(0, 255), rng.uniform(0, 255), rng.uniform(0, 255));
  image(cv::Rect(x, y, width, height)).setTo(colour);
}

}  // namespace plateforge::augment
