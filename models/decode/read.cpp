#include "models/decode/read.h"

#include "models/decode/slots.h"

namespace plateforge {

Reading read_greedy(const LogProbs& log_probs, int64_t blank, bool slots) {
  return slots ? slots_greedy(log_probs, blank) : ctc_greedy(log_probs, blank);
}

std::vector<Reading> read_best(const LogProbs& log_probs, const Region& region, bool slots,
                               const BeamOptions& options) {
  auto readings = slots ? slots_search(log_probs, region.blank(), options.n_best, &region)
                        : ctc_beam_search(log_probs, region.blank(), options, &region);
  if (readings.empty()) readings = {read_greedy(log_probs, region.blank(), slots)};
  return readings;
}

}  // namespace plateforge
