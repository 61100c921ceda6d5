#include "optim/lr_find.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "configs/error.h"

namespace plateforge {
namespace {

constexpr double kSmoothing = 0.98;
constexpr double kDivergence = 4;

// numpy.gradient: central differences, one-sided at the ends.
std::vector<double> slopes(const std::vector<double>& values) {
  const size_t n = values.size();
  std::vector<double> result(n);
  for (size_t i = 0; i < n; ++i) {
    const size_t before = i == 0 ? 0 : i - 1, after = std::min(i + 1, n - 1);
    result[i] = (values[after] - values[before]) / static_cast<double>(after - before);
  }
  return result;
}

}  // namespace

LrRangeTest::LrRangeTest(const LrRange& range) : range_(range) {
  require(range.start > 0 && range.start < range.end, "the range test needs 0 < start < end, got ",
          range.start, " and ", range.end);
  require(range.steps >= 6, "the range test needs at least 6 steps, got ", range.steps);
}

double LrRangeTest::lr() const {
  const auto position = static_cast<double>(rates_.size()) / static_cast<double>(range_.steps);
  return range_.start * std::pow(range_.end / range_.start, position);
}

bool LrRangeTest::add(double loss) {
  const double rate = lr();
  average_ = kSmoothing * average_ + (1 - kSmoothing) * loss;
  const double smooth =
      average_ / (1 - std::pow(kSmoothing, static_cast<double>(rates_.size() + 1)));
  if (!std::isfinite(smooth)) return false;
  if (rates_.empty() || smooth < best_) best_ = smooth;
  rates_.push_back(rate);
  losses_.push_back(smooth);
  return smooth <= kDivergence * best_ && static_cast<int64_t>(rates_.size()) < range_.steps;
}

// The longest strictly decreasing subsequence, by dynamic programming; a third of the way into it
// plus half a third.
size_t lr_valley(const std::vector<double>& losses) {
  const size_t n = losses.size();
  std::vector<int64_t> length(n, 1);
  size_t end = 0;
  for (size_t i = 1; i < n; ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (losses[i] < losses[j]) length[i] = std::max(length[i], length[j] + 1);
    }
    if (length[i] > length[end]) end = i;
  }
  const int64_t start = end == 0 ? 0 : static_cast<int64_t>(end) - length[end];
  const double section = static_cast<double>(static_cast<int64_t>(end) - start) / 3;
  const int64_t index = start + static_cast<int64_t>(section) + static_cast<int64_t>(section / 2);
  return static_cast<size_t>(std::max<int64_t>(index, 0));
}

size_t lr_steep(const std::vector<double>& rates, const std::vector<double>& losses) {
  size_t best = 0;
  double steepest = std::numeric_limits<double>::infinity();
  for (size_t i = 0; i + 1 < losses.size(); ++i) {
    const double slope = (losses[i + 1] - losses[i]) / std::log(rates[i + 1] / rates[i]);
    if (slope < steepest) steepest = slope, best = i;
  }
  return best;
}

// Moves a window from the end to the left while the slopes at its ends differ.
std::optional<double> lr_slide(const std::vector<double>& rates,
                               const std::vector<double>& losses) {
  constexpr size_t kWindow = 15;
  constexpr double kThreshold = 0.005;
  if (losses.size() <= kWindow) return std::nullopt;
  const auto slope = slopes(losses);
  size_t right = losses.size() - 1;
  double rate = rates[right - kWindow];
  for (; std::abs(slope[right] - slope[right - kWindow]) > kThreshold; --right) {
    rate = rates[right - kWindow];
    if (right == kWindow) break;
  }
  return rate;
}

LrSuggestions suggest_lr(const LrRangeTest& test, int64_t planned_steps) {
  constexpr size_t kEnd = 5, kFewest = 3;
  const size_t skipped = static_cast<size_t>(planned_steps / 10);
  require(test.rates().size() >= skipped + kEnd + kFewest, "the loss diverged after ",
          test.rates().size(), " of ", planned_steps,
          " steps: start lower or take more steps for a suggestion");
  const auto cut = [&](const std::vector<double>& values) {
    return std::vector<double>(values.begin() + static_cast<std::ptrdiff_t>(skipped),
                               values.end() - static_cast<std::ptrdiff_t>(kEnd));
  };
  const auto rates = cut(test.rates()), losses = cut(test.losses());
  const auto lowest = std::min_element(losses.begin(), losses.end()) - losses.begin();
  return {.valley = rates[lr_valley(losses)],
          .steep = rates[lr_steep(rates, losses)],
          .minimum = rates[static_cast<size_t>(lowest)] / 10,
          .slide = lr_slide(rates, losses)};
}

}  // namespace plateforge
