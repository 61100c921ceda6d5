#include <algorithm>
#include <cmath>
#include <numbers>
#include <opencv2/imgproc.hpp>

#include "data/augment/op.h"

namespace plateforge::augment {

void motion_blur(cv::Mat& image, Rng& rng, double strength, double unit) {
  const double length = pixel_unit(image, unit) * strength * rng.uniform(1.0, 4.0);
  const double angle = rng.uniform(0, std::numbers::pi);
  const double dx = length * std::cos(angle) / 2, dy = length * std::sin(angle) / 2;
  const int reach = std::max(static_cast<int>(std::ceil(length / 2)), 1);
  cv::Mat_<float> kernel(2 * reach + 1, 2 * reach + 1, 0.0F);
  // The path of the camera, each moment shared among the four pixels around it.
  constexpr int kMoments = 16;
  for (int i = 0; i < kMoments; ++i) {
    const double t = 2.0 * (i + 0.5) / kMoments - 1;
    const double x = reach + t * dx, y = reach + t * dy;
    const int column = std::min(static_cast<int>(x), 2 * reach - 1);
    const int row = std::min(static_cast<int>(y), 2 * reach - 1);
    const auto fx = static_cast<float>(x - column), fy = static_cast<float>(y - row);
    kernel(row, column) += (1 - fx) * (1 - fy);
    kernel(row, column + 1) += fx * (1 - fy);
    kernel(row + 1, column) += (1 - fx) * fy;
    kernel(row + 1, column + 1) += fx * fy;
  }
  kernel /= kMoments;
  cv::filter2D(image, image, -1, kernel, {-1, -1}, 0, cv::BORDER_REPLICATE);
}

}  // namespace plateforge::augment
