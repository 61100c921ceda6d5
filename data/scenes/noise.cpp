#include "data/scenes/noise.h"

#include <algorithm>
#include <cmath>
#include <opencv2/imgproc.hpp>

namespace plateforge::scenes {
namespace {

const cv::Mat& table() {
  static const cv::Mat noise = [] {
    cv::Mat made(1408, 4224, CV_8U);
    Rng rng(0x5ce0e5);
    for (int y = 0; y < made.rows; ++y) {
      uint8_t* p = made.ptr<uint8_t>(y);
      for (int x = 0; x < made.cols; ++x) {
        // The sum of eight uniform bytes has standard deviation 209 around 1020.
        uint64_t bits = rng.next();
        int sum = 0;
        for (int k = 0; k < 8; ++k, bits >>= 8) sum += static_cast<int>(bits & 255);
        p[x] = static_cast<uint8_t>(std::clamp(128 + (sum - 1020) * 32 / 209, 0, 255));
      }
    }
    return made;
  }();
  return noise;
}

}  // namespace

cv::Mat grain(const cv::Size& size, Rng& rng) {
  const cv::Mat& noise = table();
  CV_Assert(size.width <= 3840 && size.height <= 1300);
  const int x = static_cast<int>(rng.below(noise.cols - size.width + 1));
  const int y = static_cast<int>(rng.below(noise.rows - size.height + 1));
  return noise(cv::Rect({x, y}, size));
}

cv::Mat clouds(const cv::Size& size, double coarsest, double roughness, Rng& rng) {
  const double octaves = std::max(std::log2(coarsest), 0.0);
  double amplitude = 1.4;
  cv::Mat result;
  for (int left = static_cast<int>(octaves); left >= 0; --left, amplitude *= roughness) {
    const cv::Size here(std::max(size.width >> left, 2), std::max(size.height >> left, 2));
    if (amplitude < 0.04 && !result.empty()) break;
    const cv::Mat fine = grain(here, rng);
    if (result.empty()) {
      fine.convertTo(result, CV_8U, amplitude, 128 * (1 - amplitude));
      continue;
    }
    cv::resize(result, result, here, 0, 0, cv::INTER_LINEAR);
    cv::addWeighted(result, 1, fine, amplitude, -128 * amplitude, result);
  }
  if (result.size() != size) cv::resize(result, result, size, 0, 0, cv::INTER_LINEAR);
  return result;
}

cv::Mat colourise(const cv::Mat& tone, const cv::Scalar& dark, const cv::Scalar& light) {
  cv::Mat colours(1, 256, CV_8UC3), image;
  for (int i = 0; i < 256; ++i) {
    for (int k = 0; k < 3; ++k) {
      colours.ptr<uint8_t>(0)[3 * i + k] =
          cv::saturate_cast<uint8_t>(dark[k] + (light[k] - dark[k]) * i / 255);
    }
  }
  cv::cvtColor(tone, image, cv::COLOR_GRAY2BGR);
  cv::LUT(image, colours, image);
  return image;
}

void shade(cv::Mat& image, const cv::Mat& tone, double depth) {
  int gain[256];  // in 1/256
  for (int i = 0; i < 256; ++i) gain[i] = std::max(cvRound(256 * (1 + depth * (i - 128) / 128)), 0);
  for (int y = 0; y < image.rows; ++y) {
    uint8_t* p = image.ptr<uint8_t>(y);
    const uint8_t* t = tone.ptr<uint8_t>(y);
    for (int x = 0; x < image.cols; ++x, p += 3) {
      const int g = gain[t[x]];
      for (int k = 0; k < 3; ++k) p[k] = static_cast<uint8_t>(std::min(p[k] * g >> 8, 255));
    }
  }
}

}  // namespace plateforge::scenes
