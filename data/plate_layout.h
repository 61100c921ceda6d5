#pragma once

#include <opencv2/core.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "configs/region.h"
#include "data/rng.h"

namespace plateforge {

// A text set on a plate. Lengths are millimetres from the plate's left top corner.
struct PlacedText {
  struct Character {
    int64_t symbol;    // alphabet index
    const Slot* slot;  // of the layout
    cv::Rect2d cell;
  };
  struct Mark {  // drawn, not part of the text: a dot, a hyphen
    std::string text;
    cv::Rect2d space;
  };
  const Layout* layout = nullptr;
  std::vector<Character> characters;
  std::vector<Mark> marks;

  std::vector<int64_t> symbols() const;
  // Smallest box around all cells.
  cv::Rect2d block() const;
};

// Sets a text in the first layout that accepts it; nullopt when none does. The pointers in the
// result belong to `region`.
std::optional<PlacedText> place_text(const Region& region, std::string_view text);

// Draws which optional slots are used, then a symbol for each used slot with `pick(slot)`, and sets
// the result. Rows are centred between the bands and share the height evenly; a row that is too
// wide for the plate is condensed.
template <class Pick>
PlacedText draw_text(const Layout& layout, Rng& rng, Pick&& pick);

// Sets chosen symbols: one entry per slot of each row, -1 = the slot is not used.
PlacedText place_symbols(const Layout& layout, const std::vector<std::vector<int64_t>>& rows);

// Empties optional slots, drawn evenly, until no more than the layout's longest text is left.
void leave_out_excess(const Layout& layout, Rng& rng, std::vector<std::vector<int64_t>>& rows);

template <class Pick>
PlacedText draw_text(const Layout& layout, Rng& rng, Pick&& pick) {
  std::vector<std::vector<int64_t>> rows;
  for (const auto& slots : layout.rows) {
    auto& row = rows.emplace_back();
    bool skip = false;  // within a run of optional slots of one class the later ones go first
    const std::string* run = nullptr;
    for (const Slot& slot : slots) {
      if (!slot.optional || run == nullptr || *run != slot.char_class) skip = false;
      run = slot.optional ? &slot.char_class : nullptr;
      skip = skip || (slot.optional && rng.chance(0.4));
      row.push_back(skip ? -1 : pick(slot));
    }
  }
  leave_out_excess(layout, rng, rows);
  return place_symbols(layout, rows);
}

}  // namespace plateforge
