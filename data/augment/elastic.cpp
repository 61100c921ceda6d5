#include <algorithm>
#include <opencv2/imgproc.hpp>

#include "data/augment/op.h"

namespace plateforge::augment {

void elastic(Geometry& geometry, Rng& rng, double strength) {
  const cv::Size size = geometry.size;
  const double share = 0.01 * std::min(strength, 2.0);
  cv::Mat coarse(std::max(size.height / 4, 2), std::max(size.width / 4, 2), CV_32FC2);
  for (auto& moved : cv::Mat_<cv::Vec2f>(coarse)) {
    moved[0] = static_cast<float>(rng.uniform(-1, 1) * share * size.width);
    moved[1] = static_cast<float>(rng.uniform(-1, 1) * share * size.height);
  }
  cv::Mat fine;
  cv::resize(coarse, fine, size, 0, 0, cv::INTER_CUBIC);
  if (geometry.displacement.empty()) {
    geometry.displacement = fine;
  } else {
    geometry.displacement += fine;
  }
}

}  // namespace plateforge::augment
