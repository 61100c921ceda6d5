#include "compress/quantize/observers.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "configs/suggest.h"

namespace plateforge {
namespace {

constexpr double kMovingShare = 0.01, kPercentileTail = 1e-5;
constexpr int64_t kKlStride = 8;  // bins between two candidates

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double moving_average(const std::vector<double>& values) {
  auto average = values.at(0);
  for (const auto value : values) average += kMovingShare * (value - average);
  return average;
}

// Sums of f(bin) over the bins below each border: sums[b] = f(0) + ... + f(b - 1).
template <class F>
std::vector<double> running_sums(F f) {
  std::vector<double> sums(Histogram::kBins + 1, 0.0);
  for (size_t i = 0; i < Histogram::kBins; ++i) sums[i + 1] = sums[i] + f(i);
  return sums;
}

// A histogram's mass and moments between bin borders, values at the bin centres.
class Moments {
 public:
  explicit Moments(const Histogram& histogram)
      : count_(running_sums([&](size_t i) { return histogram.counts[i]; })),
        sum_(running_sums([&](size_t i) { return histogram.counts[i] * centre(histogram, i); })),
        squares_(running_sums([&](size_t i) {
          return histogram.counts[i] * centre(histogram, i) * centre(histogram, i);
        })) {}

  double count(size_t first, size_t end) const { return count_[end] - count_[first]; }
  // Sum of (value - to)^2
  double squared_distance(size_t first, size_t end, double to) const {
    return squares_[end] - squares_[first] - 2 * to * (sum_[end] - sum_[first]) +
           to * to * count(first, end);
  }

 private:
  static double centre(const Histogram& histogram, size_t bin) {
    return histogram.low + (static_cast<double>(bin) + 0.5) * histogram.width();
  }
  std::vector<double> count_, sum_, squares_;
};

// A run of bins that a candidate range keeps.
struct Window {
  size_t first = 0, end = Histogram::kBins;
};

// Bins [0, border) lie below zero.
size_t zero_border(const Histogram& histogram) {
  if (histogram.low >= 0) return 0;
  const auto border = std::nearbyint(-histogram.low / histogram.width());
  return std::min(static_cast<size_t>(border), static_cast<size_t>(Histogram::kBins));
}

ValueRange range_of(const Histogram& histogram, const Window& window) {
  return {histogram.low + static_cast<double>(window.first) * histogram.width(),
          histogram.low + static_cast<double>(window.end) * histogram.width()};
}

// Rounding inside the window is taken as uniform, step^2 / 12 per value that is not zero; what lies
// outside is clipped to the border.
double squared_error(const Moments& moments, const Histogram& histogram, const Window& window,
                     double steps) {
  const auto [low, high] = range_of(histogram, window);
  const auto step = (high - low) / steps;
  return moments.count(window.first, window.end) * step * step / 12 +
         moments.squared_distance(0, window.first, low) +
         moments.squared_distance(window.end, Histogram::kBins, high);
}

// Both sides shrink on their own, 100 % down to 2 %.
Window least_squares_window(const Histogram& histogram, double steps) {
  constexpr int kTries = 50;
  const Moments moments(histogram);
  const auto zero = zero_border(histogram), above = Histogram::kBins - zero;
  const auto share = [](size_t bins, int tries_left) {
    return (bins * static_cast<size_t>(tries_left) + kTries - 1) / kTries;
  };
  Window best;
  auto least = squared_error(moments, histogram, best, steps);
  for (int left = kTries; left > 0; --left) {
    for (int right = kTries; right > 0; --right) {
      const Window window{zero - share(zero, left), zero + share(above, right)};
      if (window.end <= window.first) continue;
      const auto error = squared_error(moments, histogram, window, steps);
      if (error < least) least = error, best = window;
      if (above == 0) break;
    }
    if (zero == 0) break;
  }
  return best;
}

// Divergence of the window's distribution, the mass outside added to its outermost bins, from the
// same merged into `levels` bins and spread again over those that hold something.
double divergence(const Histogram& histogram, const Window& window, size_t levels) {
  std::vector<double> kept(histogram.counts.begin() + static_cast<std::ptrdiff_t>(window.first),
                           histogram.counts.begin() + static_cast<std::ptrdiff_t>(window.end));
  const auto inside = kept;
  for (size_t i = 0; i < window.first; ++i) kept.front() += histogram.counts[i];
  for (size_t i = window.end; i < Histogram::kBins; ++i) kept.back() += histogram.counts[i];
  const auto total = std::accumulate(kept.begin(), kept.end(), 0.0);
  const auto inside_total = std::accumulate(inside.begin(), inside.end(), 0.0);
  if (total <= 0 || inside_total <= 0) return std::numeric_limits<double>::infinity();
  double result = 0;
  for (size_t level = 0; level < levels; ++level) {
    const auto first = level * kept.size() / levels, end = (level + 1) * kept.size() / levels;
    double mass = 0;
    size_t filled = 0;
    for (auto i = first; i < end; ++i) mass += inside[i], filled += kept[i] > 0;
    for (auto i = first; i < end; ++i) {
      if (kept[i] <= 0) continue;
      const auto p = kept[i] / total;
      const auto q = std::max(mass / static_cast<double>(filled) / inside_total, 1e-12);
      result += p * std::log(p / q);
    }
  }
  return result;
}

// Both sides shrink by the same share.
Window least_divergence_window(const Histogram& histogram, size_t levels) {
  const auto zero = zero_border(histogram), above = Histogram::kBins - zero;
  Window best;
  auto least = std::numeric_limits<double>::infinity();
  for (size_t bins = levels; bins <= Histogram::kBins; bins += kKlStride) {
    const Window window{zero - zero * bins / Histogram::kBins,
                        zero + (above * bins + Histogram::kBins - 1) / Histogram::kBins};
    if (window.end - window.first < levels) continue;
    const auto found = divergence(histogram, window, levels);
    if (found < least) least = found, best = window;
  }
  return best;
}

Window percentile_window(const Histogram& histogram) {
  const auto total =
      std::accumulate(histogram.counts.begin(), histogram.counts.end(), histogram.zeros);
  const auto zero = zero_border(histogram);
  Window window;
  double below = 0, above = 0;
  while (window.first < zero &&
         (below += histogram.counts[window.first]) <= kPercentileTail * total) {
    ++window.first;
  }
  while (window.end > std::max(zero, window.first + 1) &&
         (above += histogram.counts[window.end - 1]) <= kPercentileTail * total) {
    --window.end;
  }
  return window;
}

ValueRange histogram_range(const Histogram& histogram, Observer observer,
                           const QuantizerType& type) {
  if (histogram.width() <= 0) return {histogram.low, histogram.high};
  // A symmetric type spends its upper half on the absolute values.
  const auto levels = type.symmetric ? type.high : type.high - type.low;
  const auto& seen = type.symmetric ? histogram.folded() : histogram;
  const auto window = observer == Observer::mse ? least_squares_window(seen, double(levels))
                      : observer == Observer::kl
                          ? least_divergence_window(
                                seen, static_cast<size_t>(std::min(levels, Histogram::kBins / 8)))
                          : percentile_window(seen);
  const auto range = range_of(seen, window);
  return type.symmetric ? ValueRange{-range.high, range.high} : range;
}

}  // namespace

const std::vector<std::string>& observer_names() {
  static const std::vector<std::string> names = {"min-max",    "mean-min-max", "moving-average",
                                                 "percentile", "mse",          "kl"};
  return names;
}

Observer find_observer(const std::string& name) {
  return static_cast<Observer>(find_name("observer", name, observer_names()));
}

const std::string& observer_name(Observer observer) {
  return observer_names().at(static_cast<size_t>(observer));
}

void Histogram::add(const torch::Tensor& values) {
  if (counts.empty()) counts.assign(kBins, 0.0);
  const auto dense = values.detach().contiguous(values.suggest_memory_format());
  const auto* value = dense.const_data_ptr<float>();
  const auto first = static_cast<float>(low);
  const auto per_value = static_cast<float>(width() > 0 ? 1 / width() : 0);
  int64_t seen_zeros = 0;
  for (int64_t i = 0; i < dense.numel(); ++i) {
    if (value[i] == 0) {
      ++seen_zeros;
      continue;
    }
    const auto bin = static_cast<int64_t>((value[i] - first) * per_value);
    ++counts[static_cast<size_t>(std::clamp<int64_t>(bin, 0, kBins - 1))];
  }
  zeros += static_cast<double>(seen_zeros);
}

Histogram Histogram::spread_over(double new_low, double new_high) const {
  Histogram wide{.low = new_low, .high = new_high, .zeros = zeros};
  wide.counts.assign(kBins, 0.0);
  const auto bin_of = [&](double value) {
    const auto bin = wide.width() > 0 ? (value - new_low) / wide.width() : 0.0;
    return std::clamp(bin, 0.0, static_cast<double>(kBins));
  };
  for (size_t i = 0; i < counts.size(); ++i) {
    if (counts[i] == 0) continue;
    const auto from = bin_of(low + static_cast<double>(i) * width());
    const auto to = std::max(from + 1e-9, bin_of(low + static_cast<double>(i + 1) * width()));
    for (auto bin = static_cast<size_t>(std::min<double>(from, kBins - 1));
         bin < kBins && static_cast<double>(bin) < to; ++bin) {
      const auto covered = std::min<double>(to, static_cast<double>(bin + 1)) -
                           std::max<double>(from, static_cast<double>(bin));
      wide.counts[bin] += counts[i] * std::max(0.0, covered) / (to - from);
    }
  }
  return wide;
}

Histogram Histogram::folded() const {
  if (low >= 0) return spread_over(0, high);
  const auto reach = std::max(-low, high);
  const auto whole = spread_over(-reach, reach);
  Histogram half{.low = 0, .high = reach, .zeros = zeros};
  half.counts.assign(kBins, 0.0);
  constexpr auto kHalf = static_cast<size_t>(kBins / 2);
  for (size_t i = 0; i < kHalf; ++i) {  // a bin of `whole` covers two of `half`
    const auto both = whole.counts[kHalf + i] + whole.counts[kHalf - 1 - i];
    half.counts[2 * i] = half.counts[2 * i + 1] = both / 2;
  }
  return half;
}

void TensorStatistics::add_ranges(const torch::Tensor& x) {
  const auto [low, high] = x.detach().flatten(1).aminmax(1);
  for (int64_t n = 0; n < x.size(0); ++n) {
    lows_.push_back(low[n].item<double>());
    highs_.push_back(high[n].item<double>());
  }
}

void TensorStatistics::add_histogram(const torch::Tensor& x) {
  if (histogram_.counts.empty()) {
    const auto [low, high] = range();
    histogram_.low = std::min(low, 0.0), histogram_.high = std::max(high, 0.0);
  }
  histogram_.add(x);
}

void TensorStatistics::merge(const TensorStatistics& other) {
  TORCH_CHECK(lows_.size() == other.lows_.size(), "statistics of different samples");
  for (size_t i = 0; i < lows_.size(); ++i) {
    lows_[i] = std::min(lows_[i], other.lows_[i]);
    highs_[i] = std::max(highs_[i], other.highs_[i]);
  }
  if (histogram_.counts.empty()) return;
  const auto low = std::min(histogram_.low, other.histogram_.low);
  const auto high = std::max(histogram_.high, other.histogram_.high);
  histogram_ = histogram_.spread_over(low, high);
  const auto more = other.histogram_.spread_over(low, high);
  histogram_.zeros += more.zeros;
  for (size_t i = 0; i < histogram_.counts.size(); ++i) histogram_.counts[i] += more.counts[i];
}

bool TensorStatistics::finite() const {
  const auto is_finite = [](double value) { return std::isfinite(value); };
  return std::all_of(lows_.begin(), lows_.end(), is_finite) &&
         std::all_of(highs_.begin(), highs_.end(), is_finite);
}

ValueRange TensorStatistics::range() const {
  TORCH_CHECK(!lows_.empty(), "statistics without samples");
  return {*std::min_element(lows_.begin(), lows_.end()),
          *std::max_element(highs_.begin(), highs_.end())};
}

bool needs_histogram(Observer observer) {
  return observer == Observer::percentile || observer == Observer::mse || observer == Observer::kl;
}

ValueRange observe(const TensorStatistics& statistics, Observer observer,
                   const QuantizerType& type) {
  switch (observer) {
    case Observer::min_max:
      return statistics.range();
    case Observer::mean_min_max:
      return {mean(statistics.lows()), mean(statistics.highs())};
    case Observer::moving_average:
      return {moving_average(statistics.lows()), moving_average(statistics.highs())};
    case Observer::percentile:
    case Observer::mse:
    case Observer::kl:
      return histogram_range(statistics.histogram(), observer, type);
  }
  throw std::logic_error("observe: unknown observer");
}

}  // namespace plateforge
