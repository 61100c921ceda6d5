#include "configs/grammar.h"

#include <algorithm>
#include <map>
#include <set>

#include "configs/error.h"
#include "configs/region.h"

namespace plateforge {

namespace {

using Place = Grammar::Place;

constexpr int64_t kMostStates = 20000;  // shipped packs have 8 to 46

// The slots of a layout in reading order, rows joined.
std::vector<const Slot*> flat_slots(const Layout& layout) {
  std::vector<const Slot*> slots;
  for (const auto& row : layout.rows) {
    for (const auto& slot : row) slots.push_back(&slot);
  }
  return slots;
}

// Adds the place and every place reached by leaving out optional slots.
void add_with_skips(const std::vector<const Slot*>& slots, Place place, std::set<Place>& places) {
  const auto length = static_cast<int64_t>(slots.size());
  for (;; ++place.slot) {
    places.insert(place);
    if (place.slot == length || !slots[static_cast<size_t>(place.slot)]->optional) return;
  }
}

}  // namespace

// Subset construction: a state is the set of places that the text so far may have led to.
Grammar::Grammar(const std::vector<Layout>& layouts, int64_t alphabet_size)
    : alphabet_size_(alphabet_size) {
  std::vector<std::vector<const Slot*>> slots;
  std::set<Place> first;
  for (const auto& layout : layouts) {
    slots.push_back(flat_slots(layout));
    lengths_.push_back(static_cast<int64_t>(slots.back().size()));
    add_with_skips(slots.back(), {static_cast<int64_t>(slots.size()) - 1, 0}, first);
  }

  std::map<std::set<Place>, int64_t> states;
  const auto state_of = [&](const std::set<Place>& places) {
    const auto [found, is_new] = states.emplace(places, size());
    if (is_new) places_.emplace_back(places.begin(), places.end());
    require(size() <= kMostStates, "the layouts have too many ways to leave out characters");
    return found->second;
  };
  state_of(first);
  for (int64_t state = 0; state < size(); ++state) {
    std::vector<std::set<Place>> reached(static_cast<size_t>(alphabet_size));
    int64_t remaining = INT64_MAX;
    for (const auto& place : places(state)) {
      const auto& row = slots[static_cast<size_t>(place.layout)];
      remaining = std::min(remaining, std::count_if(row.begin() + place.slot, row.end(),
                                                    [](const Slot* s) { return !s->optional; }));
      if (place.slot == lengths_[static_cast<size_t>(place.layout)]) continue;
      for (const int64_t symbol : row[static_cast<size_t>(place.slot)]->symbols) {
        add_with_skips(row, {place.layout, place.slot + 1}, reached[static_cast<size_t>(symbol)]);
      }
    }
    remaining_.push_back(remaining);
    for (const auto& places : reached) next_.push_back(places.empty() ? kDead : state_of(places));
  }
}

std::optional<int64_t> Grammar::layout(int64_t state) const {
  for (const auto& place : places(state)) {
    if (place.slot == lengths_[static_cast<size_t>(place.layout)]) return place.layout;
  }
  return std::nullopt;
}

}  // namespace plateforge
