#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "compress/prune/allocation.h"

namespace plateforge {

// How much the loss grows when one layer alone loses a share of its weights.
struct LayerCurve {
  std::string layer;
  int64_t weights = 0;
  std::vector<double> ratios;     // ascending, above 0
  std::vector<double> increases;  // over the unpruned network's loss, as measured
};

// The non-decreasing sequence nearest to `values` in squares (pool adjacent violators).
std::vector<double> isotonic(const std::vector<double>& values);

// Ratios that remove `ratio` of all weights at the least sum of increases. Each curve is made
// monotone and replaced by its largest convex minorant through (0, 0); the cheapest pieces of all
// curves are taken first. No layer goes beyond its last measured ratio; throws Error when that is
// not enough.
Ratios allocate_by_curves(const std::vector<LayerCurve>& curves, double ratio);

// The sum of the fitted increases at these ratios.
double predicted_increase(const std::vector<LayerCurve>& curves, const Ratios& ratios);

}  // namespace plateforge
