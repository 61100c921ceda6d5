#include "train/character_masks.h"

#include <ATen/Functions.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "data/plate_layout.h"
#include "data/rng.h"

namespace plateforge {
namespace {

// Columns of patches that a character covers.
struct Columns {
  int64_t first, last;
};

Columns columns_of(const PlacedText& text, const cv::Rect2d& cell, const PatchGrid& grid) {
  const auto rows = static_cast<double>(text.layout->rows.size());
  const double middle = cell.y + cell.height / 2;
  const double row = std::clamp(std::floor(middle / text.layout->height_mm * rows), 0.0, rows - 1);
  const auto column = [&](double x) {
    const double share = (row + x / text.layout->width_mm) / rows;
    return std::clamp(static_cast<int64_t>(share * static_cast<double>(grid.columns)), int64_t{0},
                      grid.columns - 1);
  };
  return {column(cell.x), column(cell.x + cell.width)};
}

// `count` of 0..size-1, without repeats.
std::vector<size_t> draw(size_t size, size_t count, Rng& rng) {
  std::vector<size_t> all(size);
  std::iota(all.begin(), all.end(), size_t{0});
  for (size_t i = 0; i < count; ++i)
    std::swap(all[i], all[i + static_cast<size_t>(rng.below(static_cast<int64_t>(size - i)))]);
  all.resize(count);
  return all;
}

}  // namespace

CharacterMasks draw_character_masks(const std::vector<std::string>& texts, const Region& region,
                                    const PatchGrid& grid, int64_t slots, double share) {
  const auto plates = static_cast<int64_t>(texts.size());
  CharacterMasks masks{at::zeros({plates, grid.rows, grid.columns}, at::kBool),
                       at::zeros({plates, slots}, at::kBool)};
  Rng rng(static_cast<uint64_t>(at::randint(INT64_MAX, {1}, at::kLong).item<int64_t>()));
  for (int64_t n = 0; n < plates; ++n) {
    const auto text = place_text(region, texts[static_cast<size_t>(n)]);
    if (!text) continue;
    const auto size = text->characters.size();
    const auto wanted = std::llround(share * static_cast<double>(size));
    const auto count = std::clamp<size_t>(static_cast<size_t>(wanted), 1, size);
    for (const auto i : draw(size, count, rng)) {
      const auto [first, last] = columns_of(*text, text->characters[i].cell, grid);
      masks.hidden[n].slice(1, first, last + 1).fill_(true);
      masks.taught[n][static_cast<int64_t>(i)] = true;
    }
  }
  masks.hidden = masks.hidden.flatten(1);
  return masks;
}

}  // namespace plateforge
