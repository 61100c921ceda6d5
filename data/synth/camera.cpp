#include "data/synth/camera.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "data/augment/op.h"
#include "data/rectify.h"

namespace plateforge {
namespace {

// The part of the painting that fills the picture: turned, sheared and in perspective.
Quad view_of(const Painting& painting, const cv::Rect2d& box, double strength, Rng& rng) {
  augment::Geometry view{whole_image(painting.image.size()), {94, 24}, {}};
  const auto x = static_cast<float>(box.x), y = static_cast<float>(box.y);
  const auto right = static_cast<float>(box.br().x), bottom = static_cast<float>(box.br().y);
  view.quad = {cv::Point2f{x, y}, {right, y}, {right, bottom}, {x, bottom}};
  augment::affine(view, rng, std::min(strength * 1.5, 3.5));
  augment::corner_jitter(view, rng, std::min(strength, 2.0));
  return view.quad;
}

// Where a point of the painting lies in a picture of `size` whose corners show `view`.
Quad seen_corners(const cv::Rect2d& plate, const Quad& view, const cv::Size& size) {
  const Homography h(view);
  const cv::Matx33d inverse = cv::Matx33d(h.a, h.b, h.c, h.d, h.e, h.f, h.g, h.h, 1).inv();
  const cv::Point2d corners[] = {
      plate.tl(), {plate.br().x, plate.y}, plate.br(), {plate.x, plate.br().y}};
  Quad seen;
  for (size_t i = 0; i < 4; ++i) {
    const cv::Vec3d p = inverse * cv::Vec3d(corners[i].x, corners[i].y, 1);
    seen[i] = {static_cast<float>(p[0] / p[2] * size.width),
               static_cast<float>(p[1] / p[2] * size.height)};
  }
  return seen;
}

bool inside(const Quad& quad, const cv::Size& size) {
  return std::all_of(quad.begin(), quad.end(), [&](const cv::Point2f& p) {
    return p.x >= 0 && p.y >= 0 && p.x <= static_cast<float>(size.width) &&
           p.y <= static_cast<float>(size.height);
  });
}

// Exposure, colour of the light, haze and a slope of light over the picture, in one pass.
void light(cv::Mat& image, Rng& rng) {
  const double exposure = std::exp(rng.uniform(-1.0, 0.25));
  const double haze = rng.chance(0.3) ? rng.uniform(0, 90) : 0, keep = 1 - haze / 160;
  double tint[3];
  for (double& channel : tint) channel = std::exp(rng.uniform(-0.08, 0.08)) * exposure * keep;
  const double slope_x = rng.uniform(-0.3, 0.3), slope_y = rng.uniform(-0.3, 0.3);
  for (int y = 0; y < image.rows; ++y) {
    uint8_t* p = image.ptr<uint8_t>(y);
    for (int x = 0; x < image.cols; ++x, p += 3) {
      const double here = 1 + slope_x * (static_cast<double>(x) / image.cols - 0.5) +
                          slope_y * (static_cast<double>(y) / image.rows - 0.5);
      for (int k = 0; k < 3; ++k) {
        p[k] = static_cast<uint8_t>(std::clamp(p[k] * tint[k] * here + haze, 0.0, 255.0));
      }
    }
  }
}

}  // namespace

Plate photograph(const Painting& painting, int width, Rng& rng) {
  const cv::Rect2d& plate = painting.plate;
  const double margin_x = plate.width * 0.15, margin_y = plate.height * 0.3;
  const cv::Rect2d box(plate.x - margin_x, plate.y - margin_y, plate.width + 2 * margin_x,
                       plate.height + 2 * margin_y);
  // Plates turned sideways look narrower.
  const double zoom = width / plate.width, narrow = rng.uniform(0.75, 1.05);
  const cv::Size size(std::max(cvRound(box.width * zoom * narrow), 8),
                      std::max(cvRound(box.height * zoom), 8));
  Plate photo;
  Quad view;
  // A view so steep that it cuts the plate is taken again from further to the front.
  double strength = std::abs(rng.normal());
  do {
    view = view_of(painting, box, strength, rng);
    photo.quad = seen_corners(plate, view, size);
    strength = strength < 0.1 ? 0 : strength * 0.6;
  } while (!inside(photo.quad, size));
  warp(painting.image, view, cv::Mat(), size, photo.image);
  cv::Mat& image = photo.image;
  const double unit = 24.0 / image.rows;  // pixel ops are in pixels of a 24 pixel high picture
  if (rng.chance(0.15)) augment::dirt(image, rng, 0.8);
  if (rng.chance(0.15)) augment::shadow(image, rng, 1);
  light(image, rng);
  if (rng.chance(0.12)) augment::glare(image, rng, 1);
  if (rng.chance(0.15)) augment::motion_blur(image, rng, std::min(unit * 1.5, 1.0));
  cv::GaussianBlur(image, image, {}, rng.uniform(0.3, 1.2));
  augment::sensor_noise(image, rng, rng.uniform(0.1, 0.9));
  if (rng.chance(0.5)) augment::jpeg(image, rng, rng.uniform(0.2, 1));
  return photo;
}

}  // namespace plateforge
