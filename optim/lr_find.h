#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace plateforge {

// The learning-rate range test (Smith 2017) as fastai's Learner.lr_find does it, without the
// training: ask for a rate, train one update with it, hand in the loss.
struct LrRange {
  double start = 1e-7, end = 10;
  int64_t steps = 100;
};

class LrRangeTest {
 public:
  // Throws Error unless 0 < start < end and steps >= 6.
  explicit LrRangeTest(const LrRange& range);

  // Rate of the next update: start * (end / start)^(i / steps).
  double lr() const;
  // Records the loss of that update. False when the test is over: after `steps` updates, or when
  // the smoothed loss exceeds four times its best or is no number.
  bool add(double loss);

  const std::vector<double>& rates() const { return rates_; }
  // Exponential average with factor 0.98, bias corrected.
  const std::vector<double>& losses() const { return losses_; }

 private:
  LrRange range_;
  std::vector<double> rates_, losses_;
  double average_ = 0, best_ = 0;
};

// fastai's four suggestions. They read the records between a tenth of the planned steps and five
// before the end.
struct LrSuggestions {
  double valley = 0;            // a third into the longest decrease, the one to take
  double steep = 0;             // where the loss falls fastest over log(rate)
  double minimum = 0;           // a tenth of the rate with the smallest loss
  std::optional<double> slide;  // before the slope changes at the end; needs 16 records
};

// Throws Error when too few records are left, because the loss diverged at once.
LrSuggestions suggest_lr(const LrRangeTest& test, int64_t planned_steps);

// The same on plain records; the index (valley and steep) or the rate (slide) that each rule picks.
size_t lr_valley(const std::vector<double>& losses);
size_t lr_steep(const std::vector<double>& rates, const std::vector<double>& losses);
std::optional<double> lr_slide(const std::vector<double>& rates, const std::vector<double>& losses);

}  // namespace plateforge
