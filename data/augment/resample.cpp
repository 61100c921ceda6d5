#include <algorithm>
#include <opencv2/imgproc.hpp>

#include "data/augment/op.h"

namespace plateforge::augment {

void resample(cv::Mat& image, Rng& rng, double strength, double /*unit*/) {
  const double factor = 1 + strength * rng.uniform(0.2, 1.0);
  const cv::Size small{std::max(static_cast<int>(image.cols / factor), 4),
                       std::max(static_cast<int>(image.rows / factor), 4)};
  constexpr int kKernels[] = {cv::INTER_LINEAR, cv::INTER_CUBIC, cv::INTER_NEAREST};
  const int enlarge = kKernels[std::min<int64_t>(rng.below(5) / 2, 2)];  // nearest once in five
  cv::Mat reduced;
  cv::resize(image, reduced, small, 0, 0, cv::INTER_AREA);
  cv::resize(reduced, image, image.size(), 0, 0, enlarge);
}

}  // namespace plateforge::augment
