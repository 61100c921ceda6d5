#pragma once

#include <opencv2/core.hpp>

#include "data/plate.h"

namespace plateforge::scenes {

// How a flat thing stands before a pinhole camera. Angles in radians: yaw about the thing's
// vertical axis, then pitch about the camera's horizontal axis, then roll about the line of sight.
struct Pose {
  double yaw = 0, pitch = 0, roll = 0;
  cv::Point2d centre;     // pixel where the plane's origin is seen
  double scale = 1;       // pixels per millimetre at the origin, seen straight on
  double focal = 1000;    // of the camera, pixels
  cv::Point2d principal;  // pixel on the camera's axis
};

// The projective map from a plane (millimetres, x to the right, y down) to the picture.
class View {
 public:
  View() = default;
  explicit View(const Pose& pose);
  // The plane that shows a rectangle of `mm`, centred at the origin, as `seen`.
  View(const Quad& seen, const cv::Size2d& mm);

  cv::Point2f operator()(double x, double y) const;
  // Left-top, right-top, right-bottom, left-bottom of the rectangle in its own frame.
  Quad quad(const cv::Rect2d& mm) const;
  // True when all of the rectangle is well before the camera: no corner is nearer than a third of
  // the origin's distance.
  bool shows(const cv::Rect2d& mm) const;
  // The part of the rectangle that a picture of this size can show, or a little more.
  cv::Rect2d visible(const cv::Rect2d& mm, const cv::Size& picture) const;
  // Pixels per millimetre around the origin.
  double scale() const;
  // The same in a picture of that share of the size.
  View resized(double share) const;
  const cv::Matx33d& matrix() const { return matrix_; }

 private:
  cv::Matx33d matrix_ = cv::Matx33d::eye();
};

// Smallest upright rectangle around the corners.
cv::Rect2f extents(const Quad& quad);
// Area in pixels; and the share of it inside a picture of this size.
double area(const Quad& quad);
double share_inside(const Quad& quad, const cv::Size& picture);

}  // namespace plateforge::scenes
