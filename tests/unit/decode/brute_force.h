#pragma once

#include <cmath>
#include <map>
#include <random>
#include <vector>

#include "models/decode/ctc.h"

namespace plateforge {

// Normalised random log-probabilities; larger sharpness = more peaked.
struct RandomLogProbs {
  std::vector<float> values;
  LogProbs view;
  RandomLogProbs(uint64_t seed, int64_t steps, int64_t classes, double sharpness)
      : values(static_cast<size_t>(steps * classes)) {
    std::mt19937_64 rng(seed);
    std::normal_distribution<double> normal;
    const auto width = static_cast<size_t>(classes);
    for (size_t t = 0; t < static_cast<size_t>(steps); ++t) {
      std::vector<double> logits(width);
      double top = -1e300, sum = 0;
      for (double& logit : logits) top = std::max(top, logit = sharpness * normal(rng));
      for (const double logit : logits) sum += std::exp(logit - top);
      for (size_t c = 0; c < width; ++c) {
        values[t * width + c] = static_cast<float>(logits[c] - top - std::log(sum));
      }
    }
    view = {values.data(), steps, classes, classes, 1};
  }
};

// The probability of every text, by walking all classes^steps paths.
inline std::map<std::vector<int64_t>, double> all_texts(const LogProbs& log_probs, int64_t blank) {
  std::map<std::vector<int64_t>, double> texts;
  std::vector<int64_t> path(static_cast<size_t>(log_probs.steps), 0);
  while (true) {
    double probability = 1;
    std::vector<int64_t> text;
    int64_t previous = blank;
    for (size_t t = 0; t < path.size(); ++t) {
      probability *= std::exp(static_cast<double>(log_probs(static_cast<int64_t>(t), path[t])));
      if (path[t] != blank && path[t] != previous) text.push_back(path[t]);
      previous = path[t];
    }
    texts[text] += probability;
    size_t digit = 0;
    while (digit < path.size() && ++path[digit] == log_probs.classes) path[digit++] = 0;
    if (digit == path.size()) return texts;
  }
}

}  // namespace plateforge
