#include <opencv2/imgproc.hpp>

#include "data/augment/op.h"

namespace plateforge::augment {

void gaussian_blur(cv::Mat& image, Rng& rng, double strength, double unit) {
  const double sigma = pixel_unit(image, unit) * strength * rng.uniform(0.2, 1.0);
  cv::GaussianBlur(image, image, cv::Size(), sigma, sigma, cv::BORDER_REPLICATE);
}

}  // namespace plateforge::augment
