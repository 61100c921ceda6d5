#pragma once

#include <cstdint>
#include <deque>
#include <memory>

#include "optim/schedule.h"

namespace plateforge {

// Least-squares line through (0, y0), (1, y1), ... by recursive least squares, constant time per
// value, and how sure we are of the sign of its slope. As dlib's running_gradient.
class RunningSlope {
 public:
  void add(double y);
  int64_t count() const { return count_; }
  // Probability that the true slope is positive; needs more than two values.
  double probability_positive() const;

 private:
  int64_t count_ = 0;
  double r00_ = 1e6, r01_ = 0, r11_ = 1e6;  // inverse of the normal matrix (weak prior)
  double slope_ = 0, intercept_ = 0;
  double residual_ = 0;  // sum of squares
};

// dlib's tests: how many of the newest values are not confidently (by `probability`, in (0.5, 1))
// decreasing. One walk over the values, newest to oldest.
int64_t count_steps_without_decrease(const std::deque<double>& values, double probability = 0.51);
// The same without the largest `discard` share of the values, so that spikes hide no progress.
int64_t count_steps_without_decrease_robust(const std::deque<double>& values,
                                            double probability = 0.51, double discard = 0.10);

// dlib's trainer rule: when the last plateau_patience losses do not decrease (both tests), the rate
// is multiplied by plateau_factor and the oldest losses are forgotten. Tests run every patience/200
// losses, so the cost per loss is about that of 200 constant-time updates, and the window never
// holds more than plateau_patience losses. Losses of the warm-up are not counted.
std::unique_ptr<Schedule> make_plateau(const OptimConfig& config);

}  // namespace plateforge
