#include "data/picture_hash.h"

#include <opencv2/imgproc.hpp>

#include "data/augment.h"
#include "data/hash.h"

namespace plateforge {

PictureHash picture_hash(const Plate& plate) {
  constexpr int kColumns = 32, kRows = 8;
  cv::Mat small, grey;
  // Area-like reduction of whatever size the plate has, then means of 4 x 4 pixels.
  rectify(plate.image, plate.quad, {4 * (kColumns + 1), 4 * kRows}, small);
  cv::cvtColor(small, grey, cv::COLOR_BGR2GRAY);
  cv::resize(grey, grey, {kColumns + 1, kRows}, 0, 0, cv::INTER_AREA);
  PictureHash hash{};
  for (int y = 0; y < kRows; ++y) {
    for (int x = 0; x < kColumns; ++x) {
      const auto bit = static_cast<size_t>(y * kColumns + x);
      const bool darker = grey.at<uint8_t>(y, x) < grey.at<uint8_t>(y, x + 1);
      hash[bit / 64] |= static_cast<uint64_t>(darker) << (bit % 64);
    }
  }
  return hash;
}

uint64_t pixel_hash(const cv::Mat& image) {
  uint64_t hash = mix_key(static_cast<uint64_t>(image.cols), image.rows);
  for (int y = 0; y < image.rows; ++y) {
    const auto* row = reinterpret_cast<const char*>(image.ptr(y));
    hash = mix_key(hash, hash_bytes({row, static_cast<size_t>(image.cols) * 3}));
  }
  return hash;
}

}  // namespace plateforge
