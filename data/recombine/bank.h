#pragma once

#include <map>
#include <opencv2/core.hpp>
#include <string>
#include <utility>
#include <vector>

#include "configs/region.h"
#include "data/glyphs.h"
#include "data/plate.h"
#include "data/plate_layout.h"

namespace plateforge {

// A picture and its half, so that a large character can be seen from afar without aliasing.
struct Picture {
  cv::Mat full, half;  // 8-bit BGR
};

// One character within a picture. Its local coordinates are millimetres from its centre.
struct Cell {
  int64_t symbol = -1;
  cv::Size2d size;                 // millimetres
  cv::Matx33d to_pixel, to_local;  // projective, pixel centres at + 0.5
  double scale = 1;                // pixels per millimetre
  cv::Vec3f background, contrast;  // colour without ink; ink minus background
  double strength = 0;             // length of contrast
  double score = 0;                // agreement with the expected ink, -1..1
};

struct BankPlate {
  Picture picture;
  Quad shown{};  // how the source framed it
  Quad plate{};  // the plate's own corners
  PlacedText text;
  std::vector<Cell> cells;  // one per character
  std::string source;
  double score = 0;
};

// Characters that may be pasted, by layout (address in the region) and symbol.
class Bank {
 public:
  struct Donor {
    const Picture* picture;
    const Cell* cell;
  };

  // Aligns up to `max_plates` plates of `real`, evenly chosen, and keeps those that score at least
  // `min_score`.
  Bank(const std::vector<PlateSourcePtr>& real, const Region& region, double min_score,
       int64_t max_plates, bool rendered);

  const std::vector<BankPlate>& plates() const { return plates_; }
  int64_t tried() const { return tried_; }
  double best_score() const { return best_score_; }
  // Photographed cells of a symbol; empty when there are none.
  const std::vector<Donor>& photographed(const Layout* layout, int64_t symbol) const;
  // The same from fonts.
  const std::vector<Donor>& rendered(const Layout* layout, int64_t symbol) const;

 private:
  using Index = std::map<std::pair<const Layout*, int64_t>, std::vector<Donor>>;
  void collect_donors();
  void render_missing(const Region& region, const GlyphBook& fonts);

  std::vector<BankPlate> plates_;
  int64_t tried_ = 0;
  double best_score_ = -1;
  std::vector<std::pair<Picture, Cell>> drawn_;
  Index photographed_, rendered_;
};

// Paints `donor` over `target` in `image` (the picture `target` belongs to): levels matched, edges
// feathered within the space between characters.
void paste_cell(const Bank::Donor& donor, const Cell& target, double spacing_mm, cv::Mat& image);

}  // namespace plateforge
