#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace plateforge {

struct Layout;

// All layouts of a region as one deterministic automaton over alphabet indices: a beam search asks
// in constant time whether a prefix can still become a plate. Immutable, cheap to query from
// threads.
class Grammar {
 public:
  // A place in one layout: the slot (counted over all rows) that is read next; one past the last
  // slot when the text may end here.
  struct Place {
    int64_t layout, slot;
    auto operator<=>(const Place&) const = default;
  };
  static constexpr int64_t kDead = -1;

  // Throws Error when the layouts have too many ways to leave out characters.
  Grammar(const std::vector<Layout>& layouts, int64_t alphabet_size);

  int64_t start() const { return 0; }
  // The state after one more symbol (0 <= symbol < alphabet size); kDead when no layout goes on.
  int64_t next(int64_t state, int64_t symbol) const {
    return next_[static_cast<size_t>(state * alphabet_size_ + symbol)];
  }
  // May the text end here?
  bool accepts(int64_t state) const { return layout(state).has_value(); }
  // Index of the first layout that accepts the text that led here.
  std::optional<int64_t> layout(int64_t state) const;
  // Fewest further symbols after which the text may end.
  int64_t remaining(int64_t state) const { return remaining_[static_cast<size_t>(state)]; }
  // Where the layouts stand, by layout, then slot; for messages.
  const std::vector<Place>& places(int64_t state) const {
    return places_[static_cast<size_t>(state)];
  }
  // Slots of a layout, over all its rows, optional ones included.
  int64_t slots(int64_t layout) const { return lengths_[static_cast<size_t>(layout)]; }
  // Number of states.
  int64_t size() const { return static_cast<int64_t>(places_.size()); }

 private:
  int64_t alphabet_size_;
  std::vector<int64_t> lengths_;            // slots of each layout
  std::vector<int64_t> next_;               // [state][symbol]
  std::vector<int64_t> remaining_;          // [state]
  std::vector<std::vector<Place>> places_;  // [state], ascending
};

}  // namespace plateforge
