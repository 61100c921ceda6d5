#include "data/scenes/brush.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <opencv2/imgproc.hpp>

namespace plateforge::scenes {
namespace {

constexpr int kShift = 4;  // binary places of OpenCV's fixed-point coordinates

}  // namespace

cv::Rect2d Brush::pixels(const cv::Rect2d& box) const {
  const double sx = image_.cols / window_.width, sy = image_.rows / window_.height;
  return {(box.x - window_.x) * sx, (box.y - window_.y) * sy, box.width * sx, box.height * sy};
}

void Brush::polygon(const std::vector<cv::Point2d>& corners, const cv::Scalar& colour) {
  std::vector<cv::Point> points;
  points.reserve(corners.size());
  for (const auto& corner : corners) {
    const cv::Rect2d at = pixels({corner, cv::Size2d()});
    // Far outside the picture a corner may go anywhere; OpenCV's coordinates end at 2^15 pixels.
    const auto fixed = [](double v) {
      return cvRound((std::clamp(v, -8000.0, 8000.0) - 0.5) * (1 << kShift));
    };
    points.emplace_back(fixed(at.x), fixed(at.y));
  }
  cv::fillPoly(image_, std::vector<std::vector<cv::Point>>{points}, colour, cv::LINE_AA, kShift);
  if (!alpha_) return;
  cv::fillPoly(*alpha_, std::vector<std::vector<cv::Point>>{points}, cv::Scalar(255), cv::LINE_AA,
               kShift);
}

void Brush::rectangle(const cv::Rect2d& box, const cv::Scalar& colour) {
  const cv::Point2d end = box.br();
  polygon({box.tl(), {end.x, box.y}, end, {box.x, end.y}}, colour);
}

void Brush::rounded(const cv::Rect2d& box, double radius, const cv::Scalar& colour) {
  const double r = std::min({radius, box.width / 2, box.height / 2});
  const cv::Point2d end = box.br();
  const cv::Point2d centres[] = {{end.x - r, end.y - r},
                                 {box.x + r, end.y - r},
                                 {box.x + r, box.y + r},
                                 {end.x - r, box.y + r}};
  std::vector<cv::Point2d> corners;
  constexpr int kSteps = 4;
  for (int quarter = 0; quarter < 4; ++quarter) {
    for (int i = 0; i <= kSteps; ++i) {
      const double angle = (quarter + static_cast<double>(i) / kSteps) * std::numbers::pi / 2;
      corners.push_back(centres[quarter] + r * cv::Point2d(std::cos(angle), std::sin(angle)));
    }
  }
  polygon(corners, colour);
}

void Brush::ellipse(const cv::Rect2d& box, const cv::Scalar& colour) {
  const cv::Point2d centre = (box.tl() + box.br()) / 2;
  std::vector<cv::Point2d> corners;
  constexpr int kSteps = 20;
  for (int i = 0; i < kSteps; ++i) {
    const double angle = 2 * std::numbers::pi * i / kSteps;
    corners.emplace_back(centre.x + box.width / 2 * std::cos(angle),
                         centre.y + box.height / 2 * std::sin(angle));
  }
  polygon(corners, colour);
}

void Brush::line(const cv::Point2d& from, const cv::Point2d& to, double width,
                 const cv::Scalar& colour) {
  const cv::Point2d along = to - from;
  const double length = std::max(std::hypot(along.x, along.y), 1e-6);
  const cv::Point2d side(-along.y * width / length / 2, along.x * width / length / 2);
  polygon({from + side, to + side, to - side, from - side}, colour);
}

std::vector<cv::Point2d> trapezoid(double centre, double top_y, double top, double bottom_y,
                                   double bottom) {
  return {{centre - top, top_y},
          {centre + top, top_y},
          {centre + bottom, bottom_y},
          {centre - bottom, bottom_y}};
}

}  // namespace plateforge::scenes
