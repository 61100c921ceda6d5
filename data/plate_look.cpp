#include "data/plate_look.h"

#include <cmath>
#include <opencv2/imgproc.hpp>

#include "data/augment.h"

namespace plateforge {

PlateLook look_of(const Plate& plate, const cv::Size& size) {
  const auto upper = plate.quad[1] - plate.quad[0], lower = plate.quad[2] - plate.quad[3];
  PlateLook look;
  look.width = (std::hypot(upper.x, upper.y) + std::hypot(lower.x, lower.y)) / 2;
  const auto along = upper + lower;
  look.tilt = std::atan2(std::abs(along.y), std::abs(along.x)) * 180 / CV_PI;

  cv::Mat rectified, grey, edges;
  rectify(plate.image, plate.quad, size, rectified);
  cv::cvtColor(rectified, grey, cv::COLOR_BGR2GRAY);
  cv::Scalar mean, deviation, ignored, edge_deviation;
  cv::meanStdDev(grey, mean, deviation);
  look.brightness = mean[0];
  look.contrast = deviation[0];
  cv::Laplacian(grey, edges, CV_32F);
  cv::meanStdDev(edges, ignored, edge_deviation);
  look.sharpness = edge_deviation[0] / std::max(deviation[0], 1.0);
  return look;
}

}  // namespace plateforge
