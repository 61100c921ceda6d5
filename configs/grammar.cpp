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

// Slots from `slot` on that are always used.
int64_t required(const std::vector<const Slot*>& slots, int64_t slot) {
  return std::count_if(slots.begin() + slot, slots.end(),
                       [](const Slot* s) { return !s->optional; });
}

// Adds the place and every place reached by leaving out optional slots, as far as a text that
// stands there can still end within `room` more symbols.
void add_with_skips(const std::vector<const Slot*>& slots, Place place, int64_t room,
                    std::set<Place>& places) {
  const auto length = static_cast<int64_t>(slots.size());
  for (;; ++place.slot) {
    const bool end = place.slot == length;
    if (end || std::max<int64_t>(required(slots, place.slot), 1) <= room) places.insert(place);
    if (end || !slots[static_cast<size_t>(place.slot)]->optional) return;
  }
}

}  // namespace

// Subset construction: a state is the set of places that the text so far may have led to, together
// with its length where a layout limits that.
Grammar::Grammar(const std::vector<Layout>& layouts, int64_t alphabet_size)
    : alphabet_size_(alphabet_size) {
  std::vector<std::vector<const Slot*>> slots;
  std::set<Place> first;
  for (const auto& layout : layouts) {
    slots.push_back(layout.slots());
    lengths_.push_back(static_cast<int64_t>(slots.back().size()));
    add_with_skips(slots.back(), {static_cast<int64_t>(slots.size()) - 1, 0}, layout.max_length(),
                   first);
  }
  const bool limited = std::any_of(layouts.begin(), layouts.end(),
                                   [](const Layout& layout) { return layout.max_symbols > 0; });

  std::map<std::pair<int64_t, std::set<Place>>, int64_t> states;
  std::vector<int64_t> lengths;  // [state], symbols read so far; 0 where no layout asks
  const auto state_of = [&](int64_t length, const std::set<Place>& places) {
    const auto [found, is_new] = states.emplace(std::pair(length, places), size());
    if (is_new) {
      places_.emplace_back(places.begin(), places.end());
      lengths.push_back(length);
    }
    require(size() <= kMostStates, "the layouts have too many ways to leave out characters");
    return found->second;
  };
  state_of(0, first);
  for (int64_t state = 0; state < size(); ++state) {
    std::vector<std::set<Place>> reached(static_cast<size_t>(alphabet_size));
    const int64_t length = limited ? lengths[static_cast<size_t>(state)] + 1 : 0;
    int64_t remaining = INT64_MAX;
    for (const auto& place : places(state)) {
      const auto layout = static_cast<size_t>(place.layout);
      remaining = std::min(remaining, required(slots[layout], place.slot));
      if (place.slot == lengths_[layout]) continue;
      const int64_t room = layouts[layout].max_length() - length;
      for (const int64_t symbol : slots[layout][static_cast<size_t>(place.slot)]->symbols) {
        add_with_skips(slots[layout], {place.layout, place.slot + 1}, room,
                       reached[static_cast<size_t>(symbol)]);
      }
    }
    remaining_.push_back(remaining);
    for (const auto& places : reached) {
      next_.push_back(places.empty() ? kDead : state_of(length, places));
    }
  }
}

std::optional<int64_t> Grammar::layout(int64_t state) const {
  for (const auto& place : places(state)) {
    if (place.slot == lengths_[static_cast<size_t>(place.layout)]) return place.layout;
  }
  return std::nullopt;
}

}  // namespace plateforge
