#pragma once

#include <opencv2/core.hpp>
#include <vector>

namespace plateforge::scenes {

// Draws shapes given in millimetres (or any unit) on a picture that shows `window` of their plane.
// With `alpha` the shapes are also marked there, so that what was drawn can be cut out.
class Brush {
 public:
  Brush(cv::Mat& image, cv::Mat* alpha, const cv::Rect2d& window)
      : image_(image), alpha_(alpha), window_(window) {}

  void polygon(const std::vector<cv::Point2d>& corners, const cv::Scalar& colour);
  void rectangle(const cv::Rect2d& box, const cv::Scalar& colour);
  void rounded(const cv::Rect2d& box, double radius, const cv::Scalar& colour);
  void ellipse(const cv::Rect2d& box, const cv::Scalar& colour);
  void line(const cv::Point2d& from, const cv::Point2d& to, double width, const cv::Scalar& colour);

  // Where a rectangle lies in pixels.
  cv::Rect2d pixels(const cv::Rect2d& box) const;
  double scale() const { return image_.cols / window_.width; }
  cv::Mat& image() { return image_; }

 private:
  cv::Mat& image_;
  cv::Mat* alpha_;
  cv::Rect2d window_;
};

// A symmetric trapezoid: `top` and `bottom` are its half widths.
std::vector<cv::Point2d> trapezoid(double centre, double top_y, double top, double bottom_y,
                                   double bottom);

}  // namespace plateforge::scenes
