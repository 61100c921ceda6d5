#include "data/scenes/view.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>
#include <vector>

#include "data/rectify.h"

namespace plateforge::scenes {

View::View(const Pose& pose) {
  const double cy = std::cos(pose.yaw), sy = std::sin(pose.yaw);
  const double cp = std::cos(pose.pitch), sp = std::sin(pose.pitch);
  const double cr = std::cos(pose.roll), sr = std::sin(pose.roll);
  // Where the plane's x and y axes point in the camera's frame: Rz(roll) Rx(pitch) Ry(yaw).
  const cv::Vec3d x(cr * cy - sr * sp * sy, sr * cy + cr * sp * sy, -cp * sy);
  const cv::Vec3d y(-sr * cp, cr * cp, sp);
  // Depths relative to the origin's, which is focal / scale.
  const double nearness = pose.scale / pose.focal;
  const cv::Point2d off = pose.centre - pose.principal;
  const cv::Matx33d camera(1, 0, pose.principal.x, 0, 1, pose.principal.y, 0, 0, 1);
  const cv::Matx33d plane(pose.scale * x[0], pose.scale * y[0], off.x,  //
                          pose.scale * x[1], pose.scale * y[1], off.y,  //
                          nearness * x[2], nearness * y[2], 1);
  matrix_ = camera * plane;
}

View::View(const Quad& seen, const cv::Size2d& mm) {
  const Homography h(seen);
  const cv::Matx33d unit(1 / mm.width, 0, 0.5, 0, 1 / mm.height, 0.5, 0, 0, 1);
  matrix_ = cv::Matx33d(h.a, h.b, h.c, h.d, h.e, h.f, h.g, h.h, 1) * unit;
  matrix_ = matrix_ * (1 / matrix_(2, 2));
}

cv::Point2f View::operator()(double x, double y) const {
  const cv::Vec3d p = matrix_ * cv::Vec3d(x, y, 1);
  return {static_cast<float>(p[0] / p[2]), static_cast<float>(p[1] / p[2])};
}

Quad View::quad(const cv::Rect2d& mm) const {
  const cv::Point2d end = mm.br();
  return {(*this)(mm.x, mm.y), (*this)(end.x, mm.y), (*this)(end.x, end.y), (*this)(mm.x, end.y)};
}

bool View::shows(const cv::Rect2d& mm) const {
  const cv::Point2d end = mm.br();
  for (const cv::Point2d& p : {mm.tl(), cv::Point2d(end.x, mm.y), end, cv::Point2d(mm.x, end.y)}) {
    if (matrix_(2, 0) * p.x + matrix_(2, 1) * p.y + matrix_(2, 2) < matrix_(2, 2) / 3) return false;
  }
  return true;
}

cv::Rect2d View::visible(const cv::Rect2d& mm, const cv::Size& picture) const {
  const cv::Matx33d inverse = matrix_.inv();
  double left = 1e9, top = 1e9, right = -1e9, bottom = -1e9;
  for (const auto& p : whole_image(picture)) {
    const cv::Vec3d q = inverse * cv::Vec3d(p.x, p.y, 1);
    if (q[2] * inverse(2, 2) <= 1e-9) return mm;  // the picture reaches the plane's horizon
    left = std::min(left, q[0] / q[2]), right = std::max(right, q[0] / q[2]);
    top = std::min(top, q[1] / q[2]), bottom = std::max(bottom, q[1] / q[2]);
  }
  const double margin = 4 / scale();
  return mm & cv::Rect2d(left - margin, top - margin, right - left + 2 * margin,
                         bottom - top + 2 * margin);
}

double View::scale() const {
  // Root of the area that one square millimetre takes.
  const cv::Point2f o = (*this)(0, 0), x = (*this)(1, 0) - o, y = (*this)(0, 1) - o;
  return std::sqrt(std::abs(static_cast<double>(x.cross(y))));
}

View View::resized(double share) const {
  View view;
  view.matrix_ = cv::Matx33d(share, 0, 0, 0, share, 0, 0, 0, 1) * matrix_;
  return view;
}

cv::Rect2f extents(const Quad& quad) {
  const auto [left, right] = std::minmax({quad[0].x, quad[1].x, quad[2].x, quad[3].x});
  const auto [top, bottom] = std::minmax({quad[0].y, quad[1].y, quad[2].y, quad[3].y});
  return {left, top, right - left, bottom - top};
}

double area(const Quad& quad) {
  return std::abs(static_cast<double>((quad[2] - quad[0]).cross(quad[3] - quad[1]))) / 2;
}

double share_inside(const Quad& quad, const cv::Size& picture) {
  const Quad frame = whole_image(picture);
  std::vector<cv::Point2f> common;
  const double inside =
      cv::intersectConvexConvex(std::vector<cv::Point2f>(quad.begin(), quad.end()),
                                std::vector<cv::Point2f>(frame.begin(), frame.end()), common);
  return inside / std::max(area(quad), 1e-6);
}

}  // namespace plateforge::scenes
