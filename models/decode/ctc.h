#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "configs/region.h"

namespace plateforge {

// One reading of a plate.
struct Reading {
  std::vector<int64_t> symbols;  // alphabet indices
  // Probability of each character given the others, 0..1: P(text) / sum over all characters c of
  // P(text with c there). Under a grammar only texts that it accepts count.
  std::vector<double> symbol_confidence;
  double log_probability = 0;  // natural log of the text's, summed over alignments
  double confidence() const;   // of the whole text, 0..1: exp(log_probability)
};

// A view of one sample's log-probabilities: value(t, c) = data[t * stride_t + c * stride_c].
struct LogProbs {
  const float* data = nullptr;
  int64_t steps = 0, classes = 0;
  int64_t stride_t = 0, stride_c = 1;
  float operator()(int64_t t, int64_t c) const { return data[t * stride_t + c * stride_c]; }
};

// Best path: arg-max per step, repeats merged, blanks dropped; the first symbol is kept and a blank
// separates two equal symbols. `blank` is the class that emits nothing.
Reading ctc_greedy(const LogProbs& log_probs, int64_t blank);

struct BeamOptions {
  int64_t width = 16;  // prefixes kept per step
  int64_t n_best = 1;  // readings returned, best first
};

// Prefix beam search (Graves 2006; Hannun 2014). With a region only texts that some layout accepts
// are returned; empty when none is reachable within the beam. Exact when the beam never overflows.
// The greedy text always takes part, and each returned probability is the text's exact one.
std::vector<Reading> ctc_beam_search(const LogProbs& log_probs, int64_t blank,
                                     const BeamOptions& options, const Region* grammar = nullptr);

}  // namespace plateforge
