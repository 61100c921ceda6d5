#include "data/frames/view.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <opencv2/imgproc.hpp>

#include "data/frames/corners.h"
#include "data/geometry.h"
#include "data/rectify.h"

namespace plateforge {
namespace {

const cv::Scalar kGrey(128, 128, 128);
constexpr double kReach = 2;  // input pixels beside the input that filters look at

cv::Matx33d moved(double x, double y) { return {1, 0, x, 0, 1, y, 0, 0, 1}; }
cv::Matx33d stretched(double x, double y) { return {x, 0, 0, 0, y, 0, 0, 0, 1}; }

// Picture pixels that one input pixel covers along x and along y, around a point of the input.
cv::Point2d reduction_at(const ToPicture& to_picture, const cv::Point2f& at) {
  const auto step = [&](float x, float y) {
    return mapped(to_picture, at + cv::Point2f(x, y)) - mapped(to_picture, at - cv::Point2f(x, y));
  };
  const auto across = step(0.5F, 0), down = step(0, 0.5F);
  return {std::hypot(across.x, down.x), std::hypot(across.y, down.y)};
}

cv::Point2f middle(const cv::Size& size) {
  return {static_cast<float>(size.width) / 2, static_cast<float>(size.height) / 2};
}

// False when a part of the quad lies on or behind the horizon of a perspective map.
bool is_in_front(const cv::Matx33d& map, const Quad& quad) {
  return std::all_of(quad.begin(), quad.end(), [&](const cv::Point2f& p) {
    return map(2, 0) * p.x + map(2, 1) * p.y + map(2, 2) > 1e-6;
  });
}

Quad mapped_quad(const cv::Matx33d& map, const Quad& quad) {
  Quad result;
  std::transform(quad.begin(), quad.end(), result.begin(),
                 [&](const cv::Point2f& p) { return mapped(map, p); });
  return result;
}

std::vector<cv::Point2f> common(const std::vector<cv::Point2f>& a,
                                const std::vector<cv::Point2f>& b) {
  std::vector<cv::Point2f> both;
  if (!a.empty()) cv::intersectConvexConvex(a, b, both);
  return both;
}

// The share of a plate that lies inside the view and the picture, all in the picture's pixels.
double visible_share(const Quad& plate, const Quad& view, const cv::Size& picture) {
  const std::vector<cv::Point2f> outline(plate.begin(), plate.end());
  const Quad frame = whole_image(picture);
  const auto seen =
      common(common(outline, {view.begin(), view.end()}), {frame.begin(), frame.end()});
  return seen.empty() ? 0 : cv::contourArea(seen) / std::max(cv::contourArea(outline), 1e-6);
}

}  // namespace

ToPicture to_picture(const Letterbox& box) {
  return {1 / box.scale, 0, 0, 0, 1 / box.scale, 0, 0, 0, 1};
}

cv::Point2f mapped(const cv::Matx33d& map, const cv::Point2f& point) {
  const cv::Vec3d p = map * cv::Vec3d(point.x, point.y, 1);
  return {static_cast<float>(p[0] / p[2]), static_cast<float>(p[1] / p[2])};
}

FrameView view_for(const ToPicture& to_picture, const cv::Size& input) {
  const Quad corners = whole_image(input);
  double least = std::numeric_limits<double>::max();
  for (const auto& corner : corners) {
    const auto r = reduction_at(to_picture, corner);
    least = std::min({least, r.x, r.y});
  }
  const auto area = extents(mapped_quad(to_picture, corners));
  const double reach = kReach * std::max(least, 1.0);
  const cv::Point first(cvFloor(area.x - reach), cvFloor(area.y - reach));
  const cv::Point last(cvCeil(area.br().x + reach), cvCeil(area.br().y + reach));
  return {{first, last}, least};
}

void sample_frame(const Frame& frame, const ToPicture& to_picture, const cv::Size& size,
                  cv::Mat& out) {
  const double decoded = frame.reduction;
  cv::Mat source;
  const auto scale =
      antialias(frame.image, reduction_at(to_picture, middle(size)) / decoded, source);
  // OpenCV puts pixel centres at integers.
  const cv::Matx33d map = moved(-0.5, -0.5) * stretched(scale.x / decoded, scale.y / decoded) *
                          moved(-frame.region.x, -frame.region.y) * to_picture * moved(0.5, 0.5);
  constexpr int kFlags = cv::INTER_LINEAR | cv::WARP_INVERSE_MAP;
  if (map(2, 0) == 0 && map(2, 1) == 0) {
    cv::warpAffine(source, out, map.get_minor<2, 3>(0, 0) * (1 / map(2, 2)), size, kFlags,
                   cv::BORDER_CONSTANT, kGrey);
  } else {
    cv::warpPerspective(source, out, map, size, kFlags, cv::BORDER_CONSTANT, kGrey);
  }
}

std::vector<FramePlate> plates_in_view(const std::vector<FramePlate>& plates,
                                       const ToPicture& to_picture, const cv::Size& input,
                                       const cv::Size& picture, const VisiblePlates& options) {
  const cv::Matx33d to_input = to_picture.inv();
  const bool mirrored = cv::determinant(to_picture) < 0;
  const cv::Rect2f whole({0, 0}, cv::Size2f(input));
  const Quad view = mapped_quad(to_picture, whole_image(input));
  std::vector<FramePlate> result;
  for (const auto& plate : plates) {
    const Quad before = outline(plate);
    if (!is_in_front(to_input, before)) continue;
    Quad quad = mapped_quad(to_input, before);
    if (mirrored) quad = {quad[1], quad[0], quad[3], quad[2]};
    const auto box = extents(quad) & whole;
    if (box.empty()) continue;
    FramePlate seen = plate;
    seen.box = box;
    if (plate.corners) seen.corners = quad;
    const auto centre = (quad[0] + quad[1] + quad[2] + quad[3]) / 4;
    seen.ignore = plate.ignore || !whole.contains(centre) ||
                  side_lengths(quad).width < static_cast<float>(options.min_width) ||
                  visible_share(before, view, picture) < options.min_visible;
    result.push_back(std::move(seen));
  }
  return result;
}

}  // namespace plateforge
