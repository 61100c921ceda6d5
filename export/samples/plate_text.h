// From a reader's logits to the text of a plate. Plain C++17 that needs nothing but this file.
#pragma once

#include <cmath>
#include <string>
#include <vector>

struct PlateText {
  std::string text;
  float confidence = 0;  // 0..1: product of the likeliest classes' probabilities
};

// `logits` [classes, steps] of one plate, `labels` one per class, the last of which ends the text
// (`slots`: step s stands for character s) or is the CTC blank (repeats merged, blanks dropped).
inline PlateText plate_text(const float* logits, int classes, int steps,
                            const std::vector<std::string>& labels, bool slots) {
  PlateText plate;
  float log_probability = 0;
  int last = classes - 1;
  for (int step = 0; step < steps; ++step) {
    int best = 0;
    for (int c = 1; c < classes; ++c)
      if (logits[c * steps + step] > logits[best * steps + step]) best = c;
    float sum = 0;
    for (int c = 0; c < classes; ++c)
      sum += std::exp(logits[c * steps + step] - logits[best * steps + step]);
    log_probability -= std::log(sum);
    const bool silent = best == classes - 1;
    if (slots && silent) break;
    if (!silent && (slots || best != last)) plate.text += labels[best];
    last = best;
  }
  plate.confidence = std::exp(log_probability);
  return plate;
}
