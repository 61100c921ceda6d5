#pragma once

#include <array>
#include <bit>
#include <cstdint>

#include "data/plate.h"

namespace plateforge {

// A picture of a plate in 256 bits that survives scaling, re-encoding and a change of brightness:
// the rectified plate's luminance at 33 x 8 cells, one bit for each cell that is darker than its
// right neighbour (difference hash, Krawetz 2013). The grid is fine enough to tell apart plates
// that differ in a few characters.
using PictureHash = std::array<uint64_t, 4>;

PictureHash picture_hash(const Plate& plate);

// Number of differing bits, 0..256.
inline int hash_distance(const PictureHash& a, const PictureHash& b) {
  int bits = 0;
  for (size_t i = 0; i < a.size(); ++i) bits += static_cast<int>(std::popcount(a[i] ^ b[i]));
  return bits;
}

// Of the very pixels of a whole 8-bit BGR picture.
uint64_t pixel_hash(const cv::Mat& image);

// At most this many differing bits: nearly the same picture.
inline constexpr int kNearPicture = 20;

}  // namespace plateforge
