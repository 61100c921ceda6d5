#include "data/scenes/billboard.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

#include "data/geometry.h"

namespace plateforge::scenes {
namespace {

// The picture reduced to about the size in which it will be seen, so that bilinear sampling is
// enough.
cv::Mat reduced(const cv::Mat& image, const cv::Size2f& seen) {
  const auto length = [](int have, float wanted) {
    return static_cast<double>(wanted) * 1.2 < have ? std::max(cvRound(wanted), 1) : have;
  };
  const cv::Size size(length(image.cols, seen.width), length(image.rows, seen.height));
  if (image.empty() || size == image.size()) return image;
  cv::Mat small;
  cv::resize(image, small, size, 0, 0, cv::INTER_AREA);
  return small;
}

// From the pixels of a picture on `place` to those of `window`; OpenCV counts from pixel centres.
cv::Matx33d pixel_map(const cv::Size& size, const cv::Rect2d& place, const View& view,
                      const cv::Point& window) {
  const double sx = place.width / size.width, sy = place.height / size.height;
  const cv::Matx33d to_plane(sx, 0, place.x + 0.5 * sx, 0, sy, place.y + 0.5 * sy, 0, 0, 1);
  const cv::Matx33d to_window(1, 0, -0.5 - window.x, 0, 1, -0.5 - window.y, 0, 0, 1);
  return to_window * view.matrix() * to_plane;
}

}  // namespace

cv::Mat coverage(const Quad& quad, const cv::Rect& window) {
  cv::Mat result(window.size(), CV_8U);
  float a[4], b[4], c[4];  // distance inside edge i = a x + b y + c
  const float turn = (quad[2] - quad[0]).cross(quad[3] - quad[1]) < 0 ? -1.0F : 1.0F;
  for (size_t i = 0; i < 4; ++i) {
    const cv::Point2f from = quad[i], along = quad[(i + 1) % 4] - from;
    const float length = std::max(std::hypot(along.x, along.y), 1e-6F) * turn;
    a[i] = -along.y / length, b[i] = along.x / length;
    c[i] = -a[i] * from.x - b[i] * from.y;
  }
  for (int y = 0; y < window.height; ++y) {
    uint8_t* p = result.ptr<uint8_t>(y);
    const float py = static_cast<float>(window.y + y) + 0.5F;
    for (int x = 0; x < window.width; ++x) {
      const float px = static_cast<float>(window.x + x) + 0.5F;
      float inside = 1;
      for (int i = 0; i < 4; ++i) inside = std::min(inside, a[i] * px + b[i] * py + c[i] + 0.5F);
      p[x] = static_cast<uint8_t>(255 * std::max(inside, 0.0F) + 0.5F);
    }
  }
  return result;
}

cv::Rect pixels_of(const Quad& quad, const cv::Size& picture, int margin) {
  const cv::Rect2f box = extents(quad);
  const auto clamp = [](float v, int high) {
    return cvFloor(std::clamp(v, -1.0F, static_cast<float>(high) + 1));
  };
  const cv::Point from(clamp(box.x, picture.width) - margin, clamp(box.y, picture.height) - margin);
  const cv::Point to(clamp(box.br().x, picture.width) + 1 + margin,
                     clamp(box.br().y, picture.height) + 1 + margin);
  return cv::Rect(from, to) & cv::Rect({0, 0}, picture);
}

void blend(const cv::Mat& source, const cv::Mat& alpha, cv::Mat& target) {
  for (int y = 0; y < target.rows; ++y) {
    const uint8_t* s = source.ptr<uint8_t>(y);
    const uint8_t* a = alpha.ptr<uint8_t>(y);
    uint8_t* t = target.ptr<uint8_t>(y);
    for (int x = 0; x < target.cols; ++x, s += 3, t += 3) {
      const int share = a[x] + (a[x] >> 7);  // 0..256
      for (int k = 0; k < 3; ++k) {
        t[k] = static_cast<uint8_t>((t[k] * (256 - share) + s[k] * share + 128) >> 8);
      }
    }
  }
}

void stain(const cv::Scalar& colour, const cv::Mat& alpha, double strength, cv::Mat& target) {
  const int full = cvRound(256 * strength);
  int to[3];
  for (int k = 0; k < 3; ++k) to[k] = cv::saturate_cast<uint8_t>(colour[k]);
  for (int y = 0; y < target.rows; ++y) {
    const uint8_t* a = alpha.ptr<uint8_t>(y);
    uint8_t* t = target.ptr<uint8_t>(y);
    for (int x = 0; x < target.cols; ++x, t += 3) {
      if (a[x] == 0) continue;
      const int share = a[x] * full / 255;
      for (int k = 0; k < 3; ++k) {
        t[k] = static_cast<uint8_t>((t[k] * (256 - share) + to[k] * share + 128) >> 8);
      }
    }
  }
}

void put(const Billboard& board, const View& view, double soften, cv::Mat& picture) {
  const Quad quad = view.quad(board.place);
  const int margin = 1 + cvCeil(3 * soften);
  const cv::Rect window = pixels_of(quad, picture.size(), margin);
  if (window.empty() || board.place.empty()) return;
  const cv::Size2f seen = side_lengths(quad);
  const cv::Mat image = reduced(board.image, seen), shape = reduced(board.alpha, seen);
  const auto map = pixel_map(image.size(), board.place, view, window.tl());
  cv::Mat patch, alpha = coverage(quad, window);
  cv::warpPerspective(image, patch, map, window.size(), cv::INTER_LINEAR, cv::BORDER_REPLICATE);
  if (!shape.empty()) {
    cv::Mat shaped;
    const auto shape_map = pixel_map(shape.size(), board.place, view, window.tl());
    cv::warpPerspective(shape, shaped, shape_map, window.size(), cv::INTER_LINEAR,
                        cv::BORDER_REPLICATE);
    cv::multiply(alpha, shaped, alpha, 1.0 / 255);
  }
  if (soften > 0.25) {
    cv::GaussianBlur(patch, patch, {}, soften);
    cv::GaussianBlur(alpha, alpha, {}, soften, 0, cv::BORDER_REPLICATE);
  }
  cv::Mat target = picture(window);
  blend(patch, alpha, target);
}

}  // namespace plateforge::scenes
