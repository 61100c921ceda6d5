#include <algorithm>
#include <cmath>

#include "data/recombine/bank.h"

namespace plateforge {
namespace {

// Takes a donor's colour to the target plate: the share of ink it shows, times the target's ink,
// and what is neither (dirt, noise) at the target's contrast.
class Leveller {
 public:
  Leveller(const Cell& donor, const Cell& target) : target_(target), background_(donor.background) {
    const double square = std::max(donor.strength * donor.strength, 1.0);
    ink_ = donor.contrast * (1 / square);
    const double gain = std::clamp(target.strength / std::max(donor.strength, 1.0), 0.2, 1.5);
    rest_ = static_cast<float>(gain);
    change_ = target.contrast - donor.contrast * rest_;
  }
  // background + ink * contrast + gain * (colour - donor's background - ink * donor's contrast)
  cv::Vec3f operator()(const cv::Vec3f& colour) const {
    const cv::Vec3f above = colour - background_;
    return target_.background + change_ * above.dot(ink_) + above * rest_;
  }

 private:
  const Cell& target_;
  cv::Vec3f background_, ink_, change_;
  float rest_;
};

cv::Rect pixel_box(const Cell& cell, double half_width, double half_height, const cv::Size& image) {
  double left = 1e9, top = 1e9, right = -1e9, bottom = -1e9;
  for (const auto& [x, y] : {std::pair{-1, -1}, {1, -1}, {1, 1}, {-1, 1}}) {
    const cv::Vec3d p = cell.to_pixel * cv::Vec3d(x * half_width, y * half_height, 1);
    left = std::min(left, p[0] / p[2]);
    right = std::max(right, p[0] / p[2]);
    top = std::min(top, p[1] / p[2]);
    bottom = std::max(bottom, p[1] / p[2]);
  }
  const cv::Rect2d whole(0, 0, image.width, image.height);
  const cv::Rect2d box = cv::Rect2d(left, top, right - left, bottom - top) & whole;
  return cv::Rect(cvFloor(box.x), cvFloor(box.y), cvCeil(box.width) + 1, cvCeil(box.height) + 1) &
         cv::Rect({0, 0}, image);
}

// Colour at (x, y), pixel centres at + 0.5, border repeated.
cv::Vec3f sample(const cv::Mat& image, float x, float y) {
  x = std::clamp(x - 0.5F, 0.0F, static_cast<float>(image.cols - 1) - 1e-3F);
  y = std::clamp(y - 0.5F, 0.0F, static_cast<float>(image.rows - 1) - 1e-3F);
  const int column = static_cast<int>(x), row = static_cast<int>(y);
  const float fx = x - static_cast<float>(column), fy = y - static_cast<float>(row);
  const uint8_t* p = image.ptr<uint8_t>(row) + 3 * column;
  const uint8_t* q = image.ptr<uint8_t>(row + 1) + 3 * column;
  cv::Vec3f bgr;
  for (int k = 0; k < 3; ++k) {
    const float top = static_cast<float>(p[k]) * (1 - fx) + static_cast<float>(p[k + 3]) * fx;
    const float bottom = static_cast<float>(q[k]) * (1 - fx) + static_cast<float>(q[k + 3]) * fx;
    bgr[k] = top * (1 - fy) + bottom * fy;
  }
  return bgr;
}

}  // namespace

void paste_cell(const Bank::Donor& donor, const Cell& target, double spacing_mm, cv::Mat& image) {
  const Cell& from = *donor.cell;
  // Over the cell and a little of the space around it the donor counts fully, then less and less.
  const double edge_x = std::clamp(spacing_mm / 2 - 0.5, 0.5, 5.5), edge_y = 9;
  const double feather_x = edge_x * 0.6, feather_y = 4;
  const double half_width = target.size.width / 2 + edge_x;
  const double half_height = target.size.height / 2 + edge_y;
  const bool far = from.scale > 1.6 * target.scale && !donor.picture->half.empty();
  const cv::Mat& source = far ? donor.picture->half : donor.picture->full;
  const double zoom = far ? 0.5 : 1.0;
  const cv::Matx33d resize(from.size.width / target.size.width, 0, 0,  //
                           0, from.size.height / target.size.height, 0, 0, 0, 1);
  const cv::Matx33d shrink(zoom, 0, 0, 0, zoom, 0, 0, 0, 1);
  const cv::Matx33f local(target.to_local);
  const cv::Matx33f fetch(shrink * from.to_pixel * resize * target.to_local);
  const Leveller level(from, target);
  const cv::Rect box = pixel_box(target, half_width, half_height, image.size());
  for (int y = box.y; y < box.br().y; ++y) {
    uint8_t* p = image.ptr<uint8_t>(y) + 3 * box.x;
    for (int x = box.x; x < box.br().x; ++x, p += 3) {
      const cv::Vec3f at(static_cast<float>(x) + 0.5F, static_cast<float>(y) + 0.5F, 1);
      const cv::Vec3f here = local * at;
      const double inside_x = (half_width - std::abs(here[0] / here[2])) / feather_x;
      const double inside_y = (half_height - std::abs(here[1] / here[2])) / feather_y;
      const double inside = std::min({inside_x, inside_y, 1.0});
      if (inside <= 0) continue;
      const auto alpha = static_cast<float>(inside);
      const cv::Vec3f there = fetch * at;
      const cv::Vec3f colour = level(sample(source, there[0] / there[2], there[1] / there[2]));
      for (int k = 0; k < 3; ++k) {
        const float old = static_cast<float>(p[k]);
        p[k] =
            static_cast<uint8_t>(std::clamp(old + alpha * (colour[k] - old) + 0.5F, 0.0F, 255.0F));
      }
    }
  }
}

}  // namespace plateforge
