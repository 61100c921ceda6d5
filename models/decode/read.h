#pragma once

#include "models/decode/ctc.h"

namespace plateforge {

// Reading the output of any reader, whether its steps are those of CTC or slots.

// The likeliest class of every step. `blank` is the last class: CTC's blank, or the end of the
// text.
Reading read_greedy(const LogProbs& log_probs, int64_t blank, bool slots);

// The likeliest texts that the region's layouts allow, best first: exactly for slots, by a beam of
// `options.width` for CTC. Where none is in reach, the greedy text alone.
std::vector<Reading> read_best(const LogProbs& log_probs, const Region& region, bool slots,
                               const BeamOptions& options);

}  // namespace plateforge
