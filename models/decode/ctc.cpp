#include "models/decode/ctc.h"

#include <cmath>

#include "models/decode/ctc_score.h"

namespace plateforge {

double Reading::confidence() const { return std::exp(log_probability); }

std::vector<int64_t> ctc_best_path(const LogProbs& log_probs, int64_t blank) {
  std::vector<int64_t> symbols;
  int64_t previous = blank;
  for (int64_t t = 0; t < log_probs.steps; ++t) {
    int64_t best = 0;
    for (int64_t c = 1; c < log_probs.classes; ++c) {
      if (log_probs(t, c) > log_probs(t, best)) best = c;
    }
    if (best != blank && best != previous) symbols.push_back(best);
    previous = best;
  }
  return symbols;
}

Reading ctc_greedy(const LogProbs& log_probs, int64_t blank) {
  Reading reading;
  reading.symbols = ctc_best_path(log_probs, blank);
  reading.log_probability = ctc_text_log_probability(log_probs, blank, reading.symbols);
  reading.symbol_confidence = ctc_symbol_confidence(log_probs, blank, reading.symbols);
  return reading;
}

}  // namespace plateforge
