#include "models/decode/ctc_score.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "models/decode/log_sum.h"

namespace plateforge {
namespace {

// The states of a text are blank, s0, blank, s1, ..., blank: 2n + 1 of them. A symbol may be
// entered from the symbol before it only when the two differ.
struct TextStates {
  const std::vector<int64_t>& symbols;
  int64_t blank;

  int64_t size() const { return 2 * static_cast<int64_t>(symbols.size()) + 1; }
  int64_t label(int64_t state) const {
    return state % 2 ? symbols[static_cast<size_t>(state / 2)] : blank;
  }
  bool may_skip_to(int64_t state) const {
    return state % 2 && state >= 3 && label(state) != label(state - 2);
  }
};

// Dense [rows, columns] of doubles.
class Table {
 public:
  Table(int64_t rows, int64_t columns)
      : columns_(columns), values_(static_cast<size_t>(rows * columns), 0.0) {}
  double* row(int64_t r) { return values_.data() + r * columns_; }
  const double* row(int64_t r) const { return values_.data() + r * columns_; }

 private:
  int64_t columns_;
  std::vector<double> values_;
};

// Probabilities [T, C] divided by each step's largest; every quotient below is free of that scale.
Table scaled_probabilities(const LogProbs& log_probs) {
  constexpr double kFloor = -35;
  Table table(log_probs.steps, log_probs.classes);
  for (int64_t t = 0; t < log_probs.steps; ++t) {
    double top = log_probs(t, 0);
    for (int64_t c = 1; c < log_probs.classes; ++c) top = std::max<double>(top, log_probs(t, c));
    for (int64_t c = 0; c < log_probs.classes; ++c) {
      table.row(t)[c] = std::exp(std::max(log_probs(t, c) - top, kFloor));
    }
  }
  return table;
}

// alpha(t, s): all ways to be in state s after step t, scaled so that a row sums to one; the scales
// are divided out of `probs` (modified), so that the whole text has probability alpha + alpha = 1
// at the end up to one common factor.
Table forward(const TextStates& states, int64_t steps, Table& probs, int64_t classes) {
  Table alpha(steps, states.size());
  for (int64_t t = 0; t < steps; ++t) {
    double* now = alpha.row(t);
    double sum = 0;
    for (int64_t s = 0; s < states.size(); ++s) {
      double in = t == 0 ? (s < 2 ? 1.0 : 0.0) : alpha.row(t - 1)[s];
      if (t > 0 && s > 0) in += alpha.row(t - 1)[s - 1];
      if (t > 0 && states.may_skip_to(s)) in += alpha.row(t - 1)[s - 2];
      now[s] = in * probs.row(t)[states.label(s)];
      sum += now[s];
    }
    for (int64_t s = 0; s < states.size(); ++s) now[s] /= sum;
    for (int64_t c = 0; c < classes; ++c) probs.row(t)[c] /= sum;
  }
  return alpha;
}

// beta(t, s): all ways to finish the text from step t on, being in state s at step t.
Table backward(const TextStates& states, int64_t steps, const Table& probs) {
  const int64_t size = states.size();
  Table beta(steps, size);
  for (int64_t t = steps - 1; t >= 0; --t) {
    for (int64_t s = 0; s < size; ++s) {
      double out = 0;
      if (t == steps - 1) {
        out = s >= size - 2 ? 1 : 0;
      } else {
        out = beta.row(t + 1)[s];
        if (s + 1 < size) out += beta.row(t + 1)[s + 1];
        if (s + 2 < size && states.may_skip_to(s + 2)) out += beta.row(t + 1)[s + 2];
      }
      beta.row(t)[s] = out * probs.row(t)[states.label(s)];
    }
  }
  return beta;
}

// Does the grammar accept the text with `symbol` at `position`?
bool accepts_swap(const Grammar* grammar, const std::vector<int64_t>& symbols, int64_t position,
                  int64_t symbol) {
  if (!grammar) return true;
  int64_t state = grammar->start();
  for (size_t i = 0; i < symbols.size() && state != Grammar::kDead; ++i) {
    state = grammar->next(state, static_cast<int64_t>(i) == position ? symbol : symbols[i]);
  }
  return state != Grammar::kDead && grammar->accepts(state);
}

}  // namespace

double ctc_text_log_probability(const LogProbs& log_probs, int64_t blank,
                                const std::vector<int64_t>& symbols) {
  const TextStates states{symbols, blank};
  const auto size = static_cast<size_t>(states.size());
  std::vector<double> now(size, kLogZero), next(size);
  for (int64_t t = 0; t < log_probs.steps; ++t) {
    for (size_t s = 0; s < size; ++s) {
      double in = t == 0 ? (s < 2 ? 0.0 : kLogZero) : now[s];
      if (t > 0 && s > 0) in = log_sum(in, now[s - 1]);
      const auto state = static_cast<int64_t>(s);
      if (t > 0 && states.may_skip_to(state)) in = log_sum(in, now[s - 2]);
      next[s] = in + log_probs(t, states.label(state));
    }
    now.swap(next);
  }
  return size == 1 ? now[0] : log_sum(now[size - 1], now[size - 2]);
}

std::vector<double> ctc_symbol_confidence(const LogProbs& log_probs, int64_t blank,
                                          const std::vector<int64_t>& symbols,
                                          const Grammar* grammar) {
  const int64_t steps = log_probs.steps, classes = log_probs.classes;
  const TextStates states{symbols, blank};
  Table probs = scaled_probabilities(log_probs);
  const Table alpha = forward(states, steps, probs, classes);
  const Table beta = backward(states, steps, probs);
  const int64_t last = states.size() - 1;

  std::vector<double> confidence;
  std::vector<double> run(static_cast<size_t>(classes)), total(run);
  for (int64_t state = 1; state < last; state += 2) {
    const int64_t before = state >= 3 ? states.label(state - 2) : -1;
    const int64_t after = state + 2 < last ? states.label(state + 2) : -1;
    std::fill(run.begin(), run.end(), 0.0);
    std::fill(total.begin(), total.end(), 0.0);
    for (int64_t t = 0; t < steps; ++t) {
      // What comes in from a blank and from the symbol before, and goes out to those after.
      const double in_blank = t == 0 ? (state == 1 ? 1 : 0) : alpha.row(t - 1)[state - 1];
      const double in_symbol = t > 0 && before >= 0 ? alpha.row(t - 1)[state - 2] : 0;
      const bool end = t == steps - 1;
      const double out_blank = end ? (state + 1 == last ? 1 : 0) : beta.row(t + 1)[state + 1];
      const double out_symbol = !end && after >= 0 ? beta.row(t + 1)[state + 2] : 0;
      const double* p = probs.row(t);
      for (int64_t c = 0; c < classes; ++c) {
        const double in = in_blank + (c == before ? 0 : in_symbol);
        const double out = out_blank + (c == after ? 0 : out_symbol);
        const auto i = static_cast<size_t>(c);
        run[i] = p[c] * (run[i] + in);  // ways to be in the run of c at step t
        total[i] += run[i] * out;
      }
    }
    double sum = 0;
    for (int64_t c = 0; c < classes; ++c) {
      if (c == blank || !accepts_swap(grammar, symbols, state / 2, c)) continue;
      sum += total[static_cast<size_t>(c)];
    }
    const double share = total[static_cast<size_t>(states.label(state))] / sum;
    confidence.push_back(std::isfinite(share) ? share : 0);
  }
  return confidence;
}

}  // namespace plateforge
