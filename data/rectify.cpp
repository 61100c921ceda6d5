#include "data/rectify.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>
#include <vector>

#include "data/augment.h"

namespace plateforge {
namespace {

constexpr double kAlmostOne = 1.15;  // below this reduction smoothing is not visible
constexpr double kLargest = 3.0;     // where the 3-tap smoothing reaches a plain box

// Source pixels that one output pixel covers along x and along y, at the middle of the plate.
cv::Point2d reduction(const Quad& q, const cv::Size& size) {
  const cv::Point2f across = (q[1] + q[2] - q[0] - q[3]) / (2.0F * static_cast<float>(size.width));
  const cv::Point2f down = (q[3] + q[2] - q[0] - q[1]) / (2.0F * static_cast<float>(size.height));
  return {std::hypot(across.x, down.x), std::hypot(across.y, down.y)};
}

// The pixels a warp may touch: the quad's extents and a tenth around it.
cv::Rect neighbourhood(const Quad& quad, const cv::Size& image) {
  const auto [left, right] = std::minmax({quad[0].x, quad[1].x, quad[2].x, quad[3].x});
  const auto [top, bottom] = std::minmax({quad[0].y, quad[1].y, quad[2].y, quad[3].y});
  const float dx = 2 + 0.1F * (right - left), dy = 2 + 0.1F * (bottom - top);
  const auto clamp = [](float v, int high) {
    return static_cast<int>(std::clamp(v, 0.0F, static_cast<float>(high)));
  };
  const int x = std::min(clamp(left - dx, image.width), image.width - 1);
  const int y = std::min(clamp(top - dy, image.height), image.height - 1);
  const int x_end = std::max(clamp(std::ceil(right + dx), image.width), x + 1);
  const int y_end = std::max(clamp(std::ceil(bottom + dy), image.height), y + 1);
  return {x, y, x_end - x, y_end - y};
}

int tap(double r) {  // weight of each neighbour, in 1/256
  if (r < kAlmostOne) return 0;
  return static_cast<int>(std::lround(256.0 * (r * r - 1.0) / 24.0));
}

// out = image smoothed by [k, 256 - 2k, k] / 256 on each axis; border pixels repeated.
void smooth(const cv::Mat& image, int kx, int ky, cv::Mat& out) {
  out.create(image.size(), CV_8UC3);
  const int width = 3 * image.cols;
  thread_local std::vector<uint8_t> line;
  line.resize(static_cast<size_t>(width) + 6);
  uint8_t* const middle = line.data() + 3;
  const auto weighted = [](int a, int b, int c, int k) {
    return static_cast<uint8_t>((b * (256 - 2 * k) + (a + c) * k + 128) >> 8);
  };
  for (int y = 0; y < image.rows; ++y) {
    const uint8_t* above = image.ptr<uint8_t>(std::max(y - 1, 0));
    const uint8_t* here = image.ptr<uint8_t>(y);
    const uint8_t* below = image.ptr<uint8_t>(std::min(y + 1, image.rows - 1));
    for (int x = 0; x < width; ++x) middle[x] = weighted(above[x], here[x], below[x], ky);
    std::copy_n(middle, 3, line.data());
    std::copy_n(middle + width - 3, 3, middle + width);
    uint8_t* const to = out.ptr<uint8_t>(y);
    const uint8_t* const from = line.data();
    for (int x = 0; x < width; ++x) to[x] = weighted(from[x], from[x + 3], from[x + 6], kx);
  }
}

// Where the pixels of one output row come from, in 1/256 of a source pixel.
void row_positions(const Homography& map, const cv::Size& size, int y, const cv::Vec2f* moved,
                   const cv::Size& source, int* u, int* v) {
  const auto max_u = static_cast<float>(256 * (source.width - 1));
  const auto max_v = static_cast<float>(256 * (source.height - 1));
  const auto step = 1.0F / static_cast<float>(size.width);
  const auto row_step = 1.0F / static_cast<float>(size.height);
  const auto a = static_cast<float>(map.a), b = static_cast<float>(map.b),
             c = static_cast<float>(map.c), d = static_cast<float>(map.d),
             e = static_cast<float>(map.e), f = static_cast<float>(map.f),
             g = static_cast<float>(map.g), h = static_cast<float>(map.h);
  for (int x = 0; x < size.width; ++x) {
    const float s = (static_cast<float>(x) + 0.5F + (moved != nullptr ? moved[x][0] : 0.0F)) * step;
    const float t =
        (static_cast<float>(y) + 0.5F + (moved != nullptr ? moved[x][1] : 0.0F)) * row_step;
    const float w = 1.0F / std::max(g * s + h * t + 1.0F, 1e-3F);
    // -127.5: half a pixel back to the centres of pixels, half a unit on for rounding.
    u[x] = static_cast<int>(std::clamp(256 * (a * s + b * t + c) * w - 127.5F, 0.0F, max_u));
    v[x] = static_cast<int>(std::clamp(256 * (d * s + e * t + f) * w - 127.5F, 0.0F, max_v));
  }
}

// Bilinear samples of an 8-bit BGR image of at least 2 x 2 pixels, in 8-bit fixed point.
void sample_row(const cv::Mat& image, const int* u, const int* v, int width, uint8_t* out) {
  const size_t stride = image.step[0];
  const int last_column = image.cols - 2, last_row = image.rows - 2;
  for (int x = 0; x < width; ++x, out += 3) {
    // On the last column the weight of its left neighbour is 0, so that none right of it is read.
    const int column = std::min(u[x] >> 8, last_column), row = std::min(v[x] >> 8, last_row);
    const int fx = u[x] - 256 * column, fy = v[x] - 256 * row;
    const uint8_t* p = image.data + stride * static_cast<size_t>(row) + 3 * column;
    const uint8_t* q = p + stride;
    for (int k = 0; k < 3; ++k) {
      const int top = p[k] * (256 - fx) + p[k + 3] * fx;
      const int bottom = q[k] * (256 - fx) + q[k + 3] * fx;
      out[k] = static_cast<uint8_t>((top * (256 - fy) + bottom * fy + (1 << 15)) >> 16);
    }
  }
}

Quad shifted_and_scaled(const Quad& quad, const cv::Point2f& origin, float sx, float sy) {
  Quad result;
  std::transform(quad.begin(), quad.end(), result.begin(), [&](const cv::Point2f& p) {
    return cv::Point2f{(p.x - origin.x) * sx, (p.y - origin.y) * sy};
  });
  return result;
}

// The size after division by the whole factors that fit into the reduction.
cv::Size shrunk(const cv::Size& size, const cv::Point2d& r) {
  const auto extent = [](double ratio, int length) {
    const int whole = ratio < kLargest ? 1 : static_cast<int>(ratio / 1.5);
    return std::max(length / std::clamp(whole, 1, std::max(length / 2, 1)), 1);
  };
  return {extent(r.x, size.width), extent(r.y, size.height)};
}

}  // namespace

Homography::Homography(const Quad& quad) {
  const auto& [p0, p1, p2, p3] = quad;
  const double x1 = p1.x - p2.x, x2 = p3.x - p2.x, x3 = p0.x - p1.x + p2.x - p3.x;
  const double y1 = p1.y - p2.y, y2 = p3.y - p2.y, y3 = p0.y - p1.y + p2.y - p3.y;
  const double det = x1 * y2 - x2 * y1;
  g = det == 0 ? 0 : (x3 * y2 - x2 * y3) / det;
  h = det == 0 ? 0 : (x1 * y3 - x3 * y1) / det;
  a = p1.x - p0.x + g * p1.x;
  b = p3.x - p0.x + h * p3.x;
  c = p0.x;
  d = p1.y - p0.y + g * p1.y;
  e = p3.y - p0.y + h * p3.y;
  f = p0.y;
}

bool is_convex(const Quad& quad) {
  for (size_t i = 0; i < 4; ++i) {
    const cv::Point2f in = quad[(i + 1) % 4] - quad[i];
    const cv::Point2f out = quad[(i + 2) % 4] - quad[(i + 1) % 4];
    if (in.cross(out) < 1e-4F) return false;
  }
  return true;
}

cv::Point2f antialias(const cv::Mat& image, cv::Point2d r, cv::Mat& out) {
  const cv::Size small = shrunk(image.size(), r);
  const cv::Point2f scale(static_cast<float>(small.width) / static_cast<float>(image.cols),
                          static_cast<float>(small.height) / static_cast<float>(image.rows));
  cv::Mat reduced = image;
  if (small != image.size()) cv::resize(image, reduced, small, 0, 0, cv::INTER_AREA);
  const int kx = tap(r.x * scale.x), ky = tap(r.y * scale.y);
  if (kx == 0 && ky == 0) {
    out = reduced;
  } else {
    thread_local cv::Mat smoothed;
    smooth(reduced, kx, ky, smoothed);
    out = smoothed;
  }
  return scale;
}

void warp(const cv::Mat& image, const Quad& quad, const cv::Mat& displacement, const cv::Size& size,
          cv::Mat& out) {
  CV_Assert(image.type() == CV_8UC3 && !image.empty());
  CV_Assert(displacement.empty() ||
            (displacement.type() == CV_32FC2 && displacement.size() == size));
  cv::Mat source = image;
  Quad corners = quad;
  const cv::Point2d r = reduction(quad, size);
  if (r.x >= kAlmostOne || r.y >= kAlmostOne) {
    const cv::Rect part = neighbourhood(quad, image.size());
    const auto scale = antialias(image(part), r, source);
    corners = shifted_and_scaled(quad, cv::Point2f(part.tl()), scale.x, scale.y);
  }
  if (source.cols < 2 || source.rows < 2) {
    cv::copyMakeBorder(source, source, 0, source.rows < 2, 0, source.cols < 2,
                       cv::BORDER_REPLICATE);
  }
  out.create(size, CV_8UC3);
  thread_local std::vector<int> u, v;
  u.resize(static_cast<size_t>(size.width));
  v.resize(static_cast<size_t>(size.width));
  const Homography map(corners);
  for (int y = 0; y < size.height; ++y) {
    const auto* moved = displacement.empty() ? nullptr : displacement.ptr<cv::Vec2f>(y);
    row_positions(map, size, y, moved, source.size(), u.data(), v.data());
    sample_row(source, u.data(), v.data(), size.width, out.ptr<uint8_t>(y));
  }
}

void rectify(const cv::Mat& image, const Quad& quad, const cv::Size& size, cv::Mat& out) {
  warp(image, quad, cv::Mat(), size, out);
}

}  // namespace plateforge
