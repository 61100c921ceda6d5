#pragma once

#include <opencv2/core.hpp>
#include <string>
#include <vector>

#include "configs/region.h"
#include "data/glyphs.h"
#include "data/plate_layout.h"
#include "data/rng.h"

namespace plateforge {

// A plate painted face on, with surroundings.
struct Painting {
  cv::Mat image;     // 8-bit BGR
  cv::Rect2d plate;  // pixels of the image
};

// Paints plates of one region. Glyphs are drawn once at construction; thread-safe.
class PlatePainter {
 public:
  // Throws Error when no font of the region is installed.
  explicit PlatePainter(const Region& region);

  // `scale` is pixels per millimetre.
  Painting paint(const PlacedText& text, double scale, Rng& rng) const;

 private:
  void paint_characters(const PlacedText& text, double scale, cv::Mat& ink, Rng& rng) const;
  void paint_word(const std::string& word, const cv::Rect2d& box, cv::Mat& ink) const;
  void paint_bands(const Layout& layout, double scale, cv::Mat& plate) const;

  std::vector<std::string> alphabet_;
  GlyphBook glyphs_;
};

}  // namespace plateforge
