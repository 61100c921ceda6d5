#pragma once

#include <map>
#include <opencv2/core.hpp>
#include <vector>

#include "data/glyphs.h"
#include "data/plate.h"
#include "data/plate_layout.h"

namespace plateforge {

// What one symbol looks like within its cell: ink between 0 and 1 on a grid of kCellStep
// millimetres over the cell and kCellMargin around it.
constexpr double kCellStep = 2.5, kCellMargin = 6.0;

// One character found on a real plate.
struct FoundCharacter {
  cv::Point2d shift{};  // where the ink lies relative to the layout's cell, millimetres
  double score = 0;     // correlation with the expected ink, -1..1
};

struct Alignment {
  Quad quad{};       // the plate's corners in the picture
  double score = 0;  // correlation of the whole text block with the expected ink, -1..1
  std::vector<FoundCharacter> characters;
};

// Expected ink of symbols: from fonts to begin with, from real plates once some were aligned.
class InkModel {
 public:
  InkModel(const GlyphBook& fonts, const std::vector<std::string>& alphabet)
      : fonts_(fonts), alphabet_(alphabet) {}

  // Ink of a symbol in a cell of this size; a filled cell when neither font nor plate showed it.
  cv::Mat expected(int64_t symbol, const cv::Size2d& cell) const;
  // Adds the ink seen on a plate (same grid as expected()); finish() turns sums into means.
  void learn(int64_t symbol, const cv::Mat& seen);
  void finish();

 private:
  const GlyphBook& fonts_;
  const std::vector<std::string>& alphabet_;
  std::map<int64_t, std::pair<cv::Mat, int>> sums_;
  std::map<int64_t, cv::Mat> learned_;
};

// The picture as ink: brightness along the line from the layout's background colour to its
// foreground colour, CV_32F, so that ink is high on every kind of plate.
cv::Mat ink_map(const cv::Mat& image, const Layout& layout);

// Finds the plate's corners by the text that must be there: the perspective whose text block
// correlates best with the expected ink. `around` is where to look; with `wide`, any tilt that
// makes `around` a tight upright box of the plate is tried as well.
Alignment align_plate(const cv::Mat& ink, const Quad& around, bool wide, const PlacedText& text,
                      const InkModel& model);

// The ink of one aligned cell on the grid of InkModel, levelled to mean 0 and deviation 1.
cv::Mat cell_ink(const cv::Mat& ink, const Alignment& alignment, const PlacedText& text, size_t i);

}  // namespace plateforge
