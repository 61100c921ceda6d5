#pragma once

#include "models/decode/ctc.h"

namespace plateforge {

// Reading slots: step s of the log-probabilities stands for character s, and the slots behind the
// last character say `end`. P(text) is the product over all slots, so texts compete fairly whatever
// their length. symbol_confidence of a character is its probability among the symbols that may
// stand there with the others as they are.

// Arg-max of every slot up to the first that says end.
Reading slots_greedy(const LogProbs& log_probs, int64_t end);

// The `n_best` likeliest texts, exactly. With a region only texts that
// some layout accepts; empty when none fits into the slots.
std::vector<Reading> slots_search(const LogProbs& log_probs, int64_t end, int64_t n_best,
                                  const Region* grammar = nullptr);

}  // namespace plateforge
