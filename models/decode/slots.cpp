#include "models/decode/slots.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "configs/grammar.h"

namespace plateforge {
namespace {

// Which texts are allowed: those of a grammar, or all of them as one state that never ends.
class Rules {
 public:
  explicit Rules(const Grammar* grammar) : grammar_(grammar) {}
  int64_t start() const { return grammar_ ? grammar_->start() : 0; }
  int64_t next(int64_t state, int64_t symbol) const {
    return grammar_ ? grammar_->next(state, symbol) : 0;
  }
  bool accepts(int64_t state) const { return !grammar_ || grammar_->accepts(state); }
  bool accepts(const std::vector<int64_t>& symbols) const {
    auto state = start();
    for (size_t i = 0; i < symbols.size() && state != Grammar::kDead; ++i)
      state = next(state, symbols[i]);
    return state != Grammar::kDead && accepts(state);
  }

 private:
  const Grammar* grammar_;
};

// [s]: log-probability that slot s and all behind it say end.
std::vector<double> log_end_from(const LogProbs& log_probs, int64_t end) {
  std::vector<double> sums(static_cast<size_t>(log_probs.steps) + 1, 0);
  for (auto s = log_probs.steps - 1; s >= 0; --s)
    sums[static_cast<size_t>(s)] = sums[static_cast<size_t>(s) + 1] + log_probs(s, end);
  return sums;
}

// Share of the character at `place` among those that the rules allow there.
double confidence_at(const LogProbs& log_probs, int64_t end, const Rules& rules,
                     std::vector<int64_t> symbols, size_t place) {
  const auto slot = static_cast<int64_t>(place);
  const double own = log_probs(slot, symbols[place]);
  double sum = 0;
  for (int64_t symbol = 0; symbol < log_probs.classes; ++symbol) {
    if (symbol == end) continue;
    symbols[place] = symbol;
    if (rules.accepts(symbols)) sum += std::exp(log_probs(slot, symbol) - own);
  }
  return sum > 0 ? 1 / sum : 0;
}

void add_confidence(const LogProbs& log_probs, int64_t end, const Rules& rules, Reading& reading) {
  for (size_t i = 0; i < reading.symbols.size(); ++i)
    reading.symbol_confidence.push_back(confidence_at(log_probs, end, rules, reading.symbols, i));
}

// A prefix of a text.
struct Prefix {
  double log_probability = 0;
  std::vector<int64_t> symbols;
  bool operator<(const Prefix& other) const { return log_probability > other.log_probability; }
};

// Keeps the `count` best, best first.
void keep_best(std::vector<Prefix>& prefixes, Prefix added, size_t count) {
  const auto place = std::upper_bound(prefixes.begin(), prefixes.end(), added);
  if (place == prefixes.end() && prefixes.size() >= count) return;
  prefixes.insert(place, std::move(added));
  if (prefixes.size() > count) prefixes.pop_back();
}

}  // namespace

Reading slots_greedy(const LogProbs& log_probs, int64_t end) {
  Reading reading;
  for (int64_t s = 0; s < log_probs.steps; ++s) {
    int64_t best = 0;
    for (int64_t c = 1; c < log_probs.classes; ++c)
      if (log_probs(s, c) > log_probs(s, best)) best = c;
    if (best == end) break;
    reading.symbols.push_back(best);
    reading.log_probability += log_probs(s, best);
  }
  reading.log_probability += log_end_from(log_probs, end)[reading.symbols.size()];
  add_confidence(log_probs, end, Rules(nullptr), reading);
  return reading;
}

// Texts that lead to the same state of the grammar go on alike, so the n best of every state are
// enough (Viterbi with n survivors).
std::vector<Reading> slots_search(const LogProbs& log_probs, int64_t end, int64_t n_best,
                                  const Region* grammar) {
  TORCH_CHECK(n_best >= 1, "n_best ", n_best, " must be at least 1");
  TORCH_CHECK(end >= 0 && end < log_probs.classes, "end ", end, " is not one of ",
              log_probs.classes, " classes");
  TORCH_CHECK(!grammar || grammar->num_classes() == log_probs.classes, "region ",
              grammar ? grammar->name() : "", " does not have ", log_probs.classes, " classes");
  const Rules rules(grammar ? &grammar->grammar() : nullptr);
  const auto ends = log_end_from(log_probs, end);
  const auto count = static_cast<size_t>(n_best);
  std::vector<Prefix> texts;
  std::map<int64_t, std::vector<Prefix>> beam{{rules.start(), {Prefix{}}}}, longer;
  for (int64_t s = 0; s <= log_probs.steps; ++s) {
    longer.clear();
    for (const auto& [state, prefixes] : beam) {
      if (rules.accepts(state))
        for (const auto& prefix : prefixes)
          keep_best(texts, {prefix.log_probability + ends[static_cast<size_t>(s)], prefix.symbols},
                    count);
      if (s == log_probs.steps) continue;
      for (int64_t c = 0; c < log_probs.classes; ++c) {
        const auto next = c == end ? Grammar::kDead : rules.next(state, c);
        if (next == Grammar::kDead) continue;
        for (const auto& prefix : prefixes) {
          auto symbols = prefix.symbols;
          symbols.push_back(c);
          keep_best(longer[next], {prefix.log_probability + log_probs(s, c), std::move(symbols)},
                    count);
        }
      }
    }
    beam.swap(longer);
  }
  std::vector<Reading> readings;
  for (auto& text : texts) {
    Reading reading{.symbols = std::move(text.symbols),
                    .symbol_confidence = {},
                    .log_probability = text.log_probability};
    add_confidence(log_probs, end, rules, reading);
    readings.push_back(std::move(reading));
  }
  return readings;
}

}  // namespace plateforge
