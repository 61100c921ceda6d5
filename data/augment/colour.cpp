#include <algorithm>
#include <cmath>
#include <numbers>

#include "data/augment/op.h"

namespace plateforge::augment {
namespace {

constexpr double kGrey[3] = {0.114, 0.587, 0.299};  // Rec. 601 luma of b, g, r

// factor * colour + (1 - factor) * grey
cv::Matx34d saturate(double factor) {
  cv::Matx34d m = cv::Matx34d::zeros();
  for (int row = 0; row < 3; ++row) {
    for (int column = 0; column < 3; ++column) m(row, column) = (1 - factor) * kGrey[column];
    m(row, row) += factor;
  }
  return m;
}

// Rotation of the colour cube about its grey diagonal.
cv::Matx34d turn_hue(double angle) {
  const double c = std::cos(angle), third = (1 - c) / 3, s = std::sin(angle) / std::sqrt(3.0);
  return {c + third, third - s, third + s, 0,  //
          third + s, c + third, third - s, 0,  //
          third - s, third + s, c + third, 0};
}

cv::Matx34d scale(double b, double g, double r, double offset) {
  return {b, 0, 0, offset, 0, g, 0, offset, 0, 0, r, offset};
}

double factor(Rng& rng, double strength, double range) {
  return std::max(1 + strength * rng.uniform(-range, range), 0.05);
}

}  // namespace

void ColourMap::then(const cv::Matx34d& next) {
  cv::Matx44d before = cv::Matx44d::eye();
  for (int row = 0; row < 3; ++row) {
    for (int column = 0; column < 4; ++column) before(row, column) = matrix_(row, column);
  }
  matrix_ = next * before;
  identity_ = false;
}

double ColourMap::mean_grey() const {
  int64_t sum[3] = {0, 0, 0};
  for (int y = 0; y < image_.rows; ++y) {
    const uint8_t* p = image_.ptr<uint8_t>(y);
    int row[3] = {0, 0, 0};
    for (int x = 0; x < image_.cols; ++x, p += 3) {
      row[0] += p[0];
      row[1] += p[1];
      row[2] += p[2];
    }
    for (int k = 0; k < 3; ++k) sum[k] += row[k];
  }
  const double count = static_cast<double>(image_.total());
  const cv::Vec4d mean{static_cast<double>(sum[0]) / count, static_cast<double>(sum[1]) / count,
                       static_cast<double>(sum[2]) / count, 1.0};
  const cv::Vec3d mapped = matrix_ * mean;
  return kGrey[0] * mapped[0] + kGrey[1] * mapped[1] + kGrey[2] * mapped[2];
}

void ColourMap::apply(cv::Mat& image) {
  if (identity_) return;
  constexpr int kBits = 8;
  int m[3][4];
  for (int row = 0; row < 3; ++row) {
    for (int column = 0; column < 4; ++column) {
      m[row][column] = static_cast<int>(std::lround(matrix_(row, column) * (1 << kBits)));
    }
    m[row][3] += 1 << (kBits - 1);
  }
  for (int y = 0; y < image.rows; ++y) {
    uint8_t* p = image.ptr<uint8_t>(y);
    for (int x = 0; x < image.cols; ++x, p += 3) {
      const int b = p[0], g = p[1], r = p[2];
      for (int k = 0; k < 3; ++k) {
        const int value = (m[k][0] * b + m[k][1] * g + m[k][2] * r + m[k][3]) >> kBits;
        p[k] = static_cast<uint8_t>(std::clamp(value, 0, 255));
      }
    }
  }
  matrix_ = cv::Matx34d::eye();
  identity_ = true;
}

void brightness(ColourMap& colour, Rng& rng, double strength) {
  const double f = factor(rng, strength, 0.4);
  colour.then(scale(f, f, f, 0));
}

void contrast(ColourMap& colour, Rng& rng, double strength) {
  const double f = factor(rng, strength, 0.4);
  colour.then(scale(f, f, f, (1 - f) * colour.mean_grey()));
}

void saturation(ColourMap& colour, Rng& rng, double strength) {
  colour.then(saturate(factor(rng, strength, 0.4)));
}

void hue(ColourMap& colour, Rng& rng, double strength) {
  const double turns = std::clamp(strength * rng.uniform(-0.1, 0.1), -0.5, 0.5);
  colour.then(turn_hue(turns * 2 * std::numbers::pi));
}

void white_balance(ColourMap& colour, Rng& rng, double strength) {
  const double b = factor(rng, strength, 0.15), g = factor(rng, strength, 0.15);
  colour.then(scale(b, g, factor(rng, strength, 0.15), 0));
}

void grey(ColourMap& colour, Rng& rng, double strength) {
  colour.then(saturate(std::max(0.0, 1 - strength * rng.uniform(0.8, 1.0))));
}

// Little light of the colour of lamps: dark, pale and with a cast.
void night(ColourMap& colour, Rng& rng, double strength) {
  const double light = std::max(1 - strength * rng.uniform(0.3, 0.75), 0.1);
  const double cast = strength * rng.uniform(-0.1, 0.25);  // above 0: sodium, below: bluish
  colour.then(saturate(std::max(0.0, 1 - strength * rng.uniform(0.0, 0.5))));
  colour.then(scale(light * (1 - cast), light, light * (1 + cast), 0));
}

}  // namespace plateforge::augment
