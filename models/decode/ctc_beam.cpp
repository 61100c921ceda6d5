#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cmath>

#include "configs/grammar.h"
#include "models/decode/ctc.h"
#include "models/decode/ctc_score.h"
#include "models/decode/log_sum.h"

namespace plateforge {
namespace {

// All prefixes seen so far; equal texts are one node, also when a prefix was dropped and came back.
class Prefixes {
 public:
  struct Node {
    int64_t parent, symbol, state;  // state: of the grammar, 0 without one
    int64_t first_child = -1, next_sibling = -1;
    int64_t slot = -1;  // place in the beam, -1 = not in it
  };

  explicit Prefixes(int64_t start_state) { nodes_.push_back({-1, -1, start_state}); }
  Node& operator[](int64_t id) { return nodes_[static_cast<size_t>(id)]; }

  int64_t child(int64_t parent, int64_t symbol, int64_t state) {
    for (int64_t id = (*this)[parent].first_child; id >= 0; id = (*this)[id].next_sibling) {
      if ((*this)[id].symbol == symbol) return id;
    }
    const auto id = static_cast<int64_t>(nodes_.size());
    nodes_.push_back({parent, symbol, state, -1, (*this)[parent].first_child});
    (*this)[parent].first_child = id;
    return id;
  }

  std::vector<int64_t> text(int64_t id) {
    std::vector<int64_t> symbols;
    for (; (*this)[id].parent >= 0; id = (*this)[id].parent) symbols.push_back((*this)[id].symbol);
    std::reverse(symbols.begin(), symbols.end());
    return symbols;
  }

 private:
  std::vector<Node> nodes_;
};

// A prefix after some steps: log-probability of the alignments that end in a blank and of those
// that end in its last symbol.
struct Entry {
  int64_t node;
  double ends_blank, ends_symbol;
  double total;
};

// A prefix of the next step: an entry that stays (symbol -1) or one more symbol after a node.
struct Candidate {
  Entry entry;
  int64_t symbol, state;
  bool operator<(const Candidate& other) const { return entry.total > other.entry.total; }
};

// The best `width` candidates; a heap with the worst on top.
class Best {
 public:
  explicit Best(int64_t width) : width_(static_cast<size_t>(width)) {}
  double threshold() const { return heap_.size() < width_ ? kLogZero : heap_[0].entry.total; }
  void add(const Candidate& candidate) {
    if (!(candidate.entry.total > threshold())) return;
    if (heap_.size() == width_) {
      std::pop_heap(heap_.begin(), heap_.end());
      heap_.pop_back();
    }
    heap_.push_back(candidate);
    std::push_heap(heap_.begin(), heap_.end());
  }
  std::vector<Candidate>& candidates() { return heap_; }
  void clear() { heap_.clear(); }

 private:
  size_t width_;
  std::vector<Candidate> heap_;
};

class BeamSearch {
 public:
  BeamSearch(const LogProbs& log_probs, int64_t blank, const BeamOptions& options,
             const Grammar* grammar)
      : log_probs_(log_probs),
        blank_(blank),
        options_(options),
        grammar_(grammar),
        prefixes_(grammar ? grammar->start() : 0),
        best_(options.width),
        has_child_(static_cast<size_t>(log_probs.classes), false),
        row_(static_cast<size_t>(log_probs.classes)) {
    beam_ = {{0, 0.0, kLogZero, 0.0}};
    prefixes_[0].slot = 0;
  }

  std::vector<Reading> run() {
    for (int64_t t = 0; t < log_probs_.steps; ++t) step(t);
    std::vector<Reading> readings;
    for (const Entry& entry : beam_) {
      if (accepts(prefixes_[entry.node].state)) add_reading(readings, prefixes_.text(entry.node));
    }
    // The best path's text is always a candidate, even if the beam lost it.
    const auto greedy = ctc_best_path(log_probs_, blank_);
    const bool known = std::any_of(readings.begin(), readings.end(),
                                   [&](const Reading& r) { return r.symbols == greedy; });
    if (!known && accepts(state_after(greedy))) add_reading(readings, greedy);

    std::stable_sort(readings.begin(), readings.end(), [](const Reading& a, const Reading& b) {
      return a.log_probability > b.log_probability;
    });
    readings.resize(std::min(readings.size(), static_cast<size_t>(options_.n_best)));
    for (Reading& reading : readings) {
      reading.symbol_confidence =
          ctc_symbol_confidence(log_probs_, blank_, reading.symbols, grammar_);
    }
    return readings;
  }

 private:
  bool accepts(int64_t state) const {
    return state != Grammar::kDead && (!grammar_ || grammar_->accepts(state));
  }

  int64_t state_after(const std::vector<int64_t>& symbols) const {
    int64_t state = grammar_ ? grammar_->start() : 0;
    for (size_t i = 0; grammar_ && i < symbols.size() && state != Grammar::kDead; ++i) {
      state = grammar_->next(state, symbols[i]);
    }
    return state;
  }

  // Exact, all alignments: a beam's own sum lacks those of times when the prefix was not in it.
  void add_reading(std::vector<Reading>& readings, std::vector<int64_t> symbols) const {
    Reading& reading = readings.emplace_back();
    reading.symbols = std::move(symbols);
    reading.log_probability = ctc_text_log_probability(log_probs_, blank_, reading.symbols);
    if (reading.log_probability == kLogZero) readings.pop_back();
  }

  void step(int64_t t) {
    for (int64_t c = 0; c < log_probs_.classes; ++c)
      row_[static_cast<size_t>(c)] = log_probs_(t, c);
    const int64_t steps_left = log_probs_.steps - t - 1;
    best_.clear();
    for (const Entry& entry : beam_) stay(entry, steps_left);
    for (const Entry& entry : beam_) extend(entry, steps_left);
    for (const Entry& entry : beam_) prefixes_[entry.node].slot = -1;
    next_.clear();
    for (Candidate& candidate : best_.candidates()) {
      if (candidate.symbol >= 0) {
        candidate.entry.node =
            prefixes_.child(candidate.entry.node, candidate.symbol, candidate.state);
      }
      prefixes_[candidate.entry.node].slot = static_cast<int64_t>(next_.size());
      next_.push_back(candidate.entry);
    }
    beam_.swap(next_);
  }

  bool completable(int64_t state, int64_t steps_left) const {
    return !grammar_ || grammar_->remaining(state) <= steps_left;
  }

  // Probability that `entry` is followed by a new `symbol`: after itself only through a blank.
  double followed_by(const Entry& entry, int64_t symbol) {
    const bool repeat = prefixes_[entry.node].symbol == symbol;
    return (repeat ? entry.ends_blank : entry.total) + row_[static_cast<size_t>(symbol)];
  }

  // The same prefix after one more step: a blank, its last symbol again, or that symbol new after
  // the parent prefix, when that one is in the beam too.
  void stay(const Entry& entry, int64_t steps_left) {
    const Prefixes::Node node = prefixes_[entry.node];
    if (!completable(node.state, steps_left)) return;
    Entry next{entry.node, entry.total + row_[static_cast<size_t>(blank_)], kLogZero, 0};
    if (node.parent >= 0) {
      next.ends_symbol = entry.ends_symbol + row_[static_cast<size_t>(node.symbol)];
      const int64_t slot = prefixes_[node.parent].slot;
      if (slot >= 0) {
        const double fresh = followed_by(beam_[static_cast<size_t>(slot)], node.symbol);
        next.ends_symbol = log_sum(next.ends_symbol, fresh);
      }
    }
    next.total = log_sum(next.ends_blank, next.ends_symbol);
    best_.add({next, -1, node.state});
  }

  // All prefixes one symbol longer that are not in the beam yet (those were merged in stay()).
  void extend(const Entry& entry, int64_t steps_left) {
    const Prefixes::Node node = prefixes_[entry.node];
    for_children_in_beam(node, true);
    for (int64_t c = 0; c < log_probs_.classes; ++c) {
      // Most classes end at this first comparison.
      if (!(entry.total + row_[static_cast<size_t>(c)] > best_.threshold())) continue;
      if (c == blank_ || has_child_[static_cast<size_t>(c)]) continue;
      const int64_t state = grammar_ ? grammar_->next(node.state, c) : 0;
      if (state == Grammar::kDead || !completable(state, steps_left)) continue;
      const double total = followed_by(entry, c);
      best_.add({{entry.node, kLogZero, total, total}, c, state});
    }
    for_children_in_beam(node, false);
  }

  void for_children_in_beam(const Prefixes::Node& node, bool mark) {
    for (int64_t id = node.first_child; id >= 0; id = prefixes_[id].next_sibling) {
      if (prefixes_[id].slot >= 0) has_child_[static_cast<size_t>(prefixes_[id].symbol)] = mark;
    }
  }

  const LogProbs& log_probs_;
  const int64_t blank_;
  const BeamOptions options_;
  const Grammar* grammar_;
  Prefixes prefixes_;
  std::vector<Entry> beam_, next_;
  Best best_;
  std::vector<char> has_child_;
  std::vector<double> row_;  // this step's log-probabilities
};

}  // namespace

std::vector<Reading> ctc_beam_search(const LogProbs& log_probs, int64_t blank,
                                     const BeamOptions& options, const Region* grammar) {
  TORCH_CHECK(options.width >= 1 && options.n_best >= 1, "beam width ", options.width, ", n_best ",
              options.n_best, ": both must be at least 1");
  TORCH_CHECK(blank >= 0 && blank < log_probs.classes, "blank ", blank, " is not one of ",
              log_probs.classes, " classes");
  TORCH_CHECK(!grammar || grammar->num_classes() == log_probs.classes, "region ",
              grammar ? grammar->name() : "", " does not have ", log_probs.classes, " classes");
  return BeamSearch(log_probs, blank, options, grammar ? &grammar->grammar() : nullptr).run();
}

}  // namespace plateforge
