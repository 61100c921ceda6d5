#pragma once

#include "configs/grammar.h"
#include "models/decode/ctc.h"

namespace plateforge {

// Natural log of the probability that the steps spell exactly `symbols`, summed over all alignments
// (the CTC forward pass, in log space and double). -inf when they do not fit into the steps.
double ctc_text_log_probability(const LogProbs& log_probs, int64_t blank,
                                const std::vector<int64_t>& symbols);

// The text of the best path: arg-max per step, repeats merged, blanks dropped.
std::vector<int64_t> ctc_best_path(const LogProbs& log_probs, int64_t blank);

// symbol_confidence[i] = P(text) / sum over every character c of P(text with c at position i):
// the probability of the character given its neighbours and that exactly one stands there. With a
// grammar only texts that it accepts are alternatives. Exact up to a floor of e^-35 under each
// step's likeliest class. By forward and backward sums, which all alternatives of a position share.
std::vector<double> ctc_symbol_confidence(const LogProbs& log_probs, int64_t blank,
                                          const std::vector<int64_t>& symbols,
                                          const Grammar* grammar = nullptr);

}  // namespace plateforge
