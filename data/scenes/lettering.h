#pragma once

#include <opencv2/core.hpp>
#include <string>

#include "data/glyphs.h"
#include "data/rng.h"

namespace plateforge::scenes {

// Writing that is on no plate: words, telephone numbers, prices, times, ideographs. Thread-safe.
class Lettering {
 public:
  Lettering();

  // Some text that no plate carries: a word, a telephone number, a price, a model's name.
  std::string phrase(Rng& rng) const;
  // A date and a time as recorders print them.
  static std::string timestamp(Rng& rng);

  // Draws the text into `box` (pixels, height of capitals), condensed where it is too wide, as
  // 8-bit coverage into `ink`. Without fonts the strokes of a plotter are drawn.
  void write(const std::string& text, const cv::Rect2d& box, cv::Mat& ink, Rng& rng) const;

 private:
  GlyphBook book_;
};

}  // namespace plateforge::scenes
