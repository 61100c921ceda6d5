#include "data/plate_layout.h"

#include <algorithm>

namespace plateforge {
namespace {

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
    const auto used = layout.fit(symbols);
    if (!used) continue;
    std::vector<std::vector<int64_t>> rows;
    size_t next = 0;
    for (const auto& slots : layout.rows) {
      auto& row = rows.emplace_back();
      for (const Slot& slot : slots) {
        const bool taken = next < symbols.size() && (*used)[next] == &slot;
        row.push_back(taken ? symbols[next++] : -1);
      }
    }
    return place_symbols(layout, rows);
  }
  return std::nullopt;
}

void leave_out_excess(const Layout& layout, Rng& rng, std::vector<std::vector<int64_t>>& rows) {
  int64_t length = 0;
  for (const auto& row : rows)
    length += std::count_if(row.begin(), row.end(), [](int64_t s) { return s >= 0; });
  for (; length > layout.max_length(); --length) {
    std::vector<int64_t*> last;  // used optional slots behind which none of their class is used
    for (size_t r = 0; r < rows.size(); ++r) {
      const auto& slots = layout.rows[r];
      for (size_t i = 0; i < slots.size(); ++i) {
        if (rows[r][i] < 0 || !slots[i].optional) continue;
        const bool goes_on = i + 1 < slots.size() && rows[r][i + 1] >= 0 && slots[i + 1].optional &&
                             slots[i + 1].char_class == slots[i].char_class;
        if (!goes_on) last.push_back(&rows[r][i]);
      }
    }
    *last[static_cast<size_t>(rng.below(static_cast<int64_t>(last.size())))] = -1;
  }
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
