#pragma once

#include <cmath>
#include <limits>
#include <utility>

namespace plateforge {

inline constexpr double kLogZero = -std::numeric_limits<double>::infinity();

// log(exp(a) + exp(b)).
inline double log_sum(double a, double b) {
  if (a < b) std::swap(a, b);
  const double gap = b - a;                              // NaN when both are -inf
  return gap > -40 ? a + std::log1p(std::exp(gap)) : a;  // e^-40 is below double's last bit
}

}  // namespace plateforge
