#include "data/plate_layout.h"

#include <algorithm>

namespace plateforge {
namespace {

// Assigns symbols[next...] to the slots from (row, slot) on; true when all fit.
bool assign(const Layout& layout, const std::vector<int64_t>& symbols, size_t row, size_t slot,
            size_t next, std::vector<std::vector<int64_t>>& rows) {
  if (row == layout.rows.size()) return next == symbols.size();
  if (slot == layout.rows[row].size()) return assign(layout, symbols, row + 1, 0, next, rows);
  const Slot& here = layout.rows[row][slot];
  if (next < symbols.size() &&
      std::binary_search(here.symbols.begin(), here.symbols.end(), symbols[next])) {
    rows[row][slot] = symbols[next];
    if (assign(layout, symbols, row, slot + 1, next + 1, rows)) return true;
  }
  rows[row][slot] = -1;
  return here.optional && assign(layout, symbols, row, slot + 1, next, rows);
}

// One row at its natural width, its first cell at x = 0.
struct Row {
  std::vector<PlacedText::Character> characters;
  std::vector<PlacedText::Mark> marks;
  double width = 0;
};

Row set_row(const Layout& layout, const std::vector<Slot>& slots,
            const std::vector<int64_t>& symbols) {
  Row row;
  for (size_t i = 0; i < slots.size(); ++i) {
    if (symbols[i] < 0) continue;
    double x = 0;
    if (!row.characters.empty()) {
      x = row.width + layout.spacing_mm + slots[i].gap_mm;
      if (!slots[i].separator.empty()) {
        row.marks.push_back(
            {slots[i].separator, {row.width, 0, x - row.width, layout.char_height_mm}});
      }
    }
    row.characters.push_back(
        {symbols[i], &slots[i], {x, 0, layout.char_width_mm, layout.char_height_mm}});
    row.width = x + layout.char_width_mm;
  }
  return row;
}

}  // namespace

std::vector<int64_t> PlacedText::symbols() const {
  std::vector<int64_t> result;
  for (const auto& character : characters) result.push_back(character.symbol);
  return result;
}

cv::Rect2d PlacedText::block() const {
  cv::Rect2d box = characters.empty() ? cv::Rect2d() : characters.front().cell;
  for (const auto& character : characters) box |= character.cell;
  return box;
}

std::optional<PlacedText> place_text(const Region& region, std::string_view text) {
  if (region.check(text).has_value()) return std::nullopt;
  const auto symbols = region.encode(text);
  for (const Layout& layout : region.layouts()) {
    std::vector<std::vector<int64_t>> rows;
    for (const auto& slots : layout.rows) rows.emplace_back(slots.size(), -1);
    if (assign(layout, symbols, 0, 0, 0, rows)) return place_symbols(layout, rows);
  }
  return std::nullopt;
}

PlacedText place_symbols(const Layout& layout, const std::vector<std::vector<int64_t>>& rows) {
  PlacedText placed;
  placed.layout = &layout;
  const double left = layout.band_left_mm, right = layout.width_mm - layout.band_right_mm;
  const double top = layout.band_top_mm, height = layout.height_mm - top;
  const auto count = static_cast<double>(rows.size());
  const double gap = (height - count * layout.char_height_mm) / (count + 1);
  const double room = right - left - 2 * (layout.border_mm + 2);
  for (size_t r = 0; r < rows.size(); ++r) {
    Row row = set_row(layout, layout.rows[r], rows[r]);
    const double squeeze = std::min(1.0, room / std::max(row.width, 1.0));
    const double x = left + (right - left - row.width * squeeze) / 2;
    const double y = top + gap + static_cast<double>(r) * (layout.char_height_mm + gap);
    const auto settle = [&](cv::Rect2d& box) {
      box = {x + box.x * squeeze, y, box.width * squeeze, box.height};
    };
    for (auto& character : row.characters) {
      settle(character.cell);
      placed.characters.push_back(character);
    }
    for (auto& mark : row.marks) {
      settle(mark.space);
      placed.marks.push_back(mark);
    }
  }
  return placed;
}

}  // namespace plateforge
