#pragma once

#include <torch/types.h>

#include <string>
#include <vector>

#include "compress/quantize/quantizer.h"

namespace plateforge {

// How the range of a tensor's quantiser follows from what was seen of the tensor.
//   min_max         everything seen
//   mean_min_max    mean over the samples of each sample's smallest and largest value (NNCF)
//   moving_average  the same two, m += 0.01 (x - m) from sample to sample (torch.ao)
//   percentile      without the outermost 0.001 % on each side
//   mse             least squared error of clipping and rounding (MQBench's sweep, both borders)
//   kl              least Kullback-Leibler divergence (Migacz, GTC 2017)
enum class Observer { min_max, mean_min_max, moving_average, percentile, mse, kl };

const std::vector<std::string>& observer_names();
Observer find_observer(const std::string& name);  // Error listing the known ones
const std::string& observer_name(Observer observer);

// Counts of values in equal bins over [low, high], which holds zero. Exact zeros are counted apart:
// they are never wrong, and after a ReLU they outnumber everything else.
struct Histogram {
  static constexpr int64_t kBins = 2048;

  double low = 0, high = 0;
  double zeros = 0;
  std::vector<double> counts = {};

  double width() const { return (high - low) / static_cast<double>(kBins); }
  void add(const torch::Tensor& values);  // those outside [low, high] fall into the outermost bins
  // The counts over a range that holds this one, each bin's spread evenly over what it covers.
  Histogram spread_over(double new_low, double new_high) const;
  // The histogram of the absolute values.
  Histogram folded() const;
};

// What calibration remembers of one tensor. The two passes see the same samples.
class TensorStatistics {
 public:
  void add_ranges(const torch::Tensor& x);     // first pass; x [N, ...]
  void add_histogram(const torch::Tensor& x);  // second pass
  // The statistics of both tensors as if they were one, sample by sample.
  void merge(const TensorStatistics& other);

  bool finite() const;
  ValueRange range() const;  // smallest and largest value
  const std::vector<double>& lows() const { return lows_; }
  const std::vector<double>& highs() const { return highs_; }
  const Histogram& histogram() const { return histogram_; }

 private:
  std::vector<double> lows_, highs_;  // by sample
  Histogram histogram_;
};

bool needs_histogram(Observer observer);

// The range for a quantiser of that type.
ValueRange observe(const TensorStatistics& statistics, Observer observer,
                   const QuantizerType& type);

}  // namespace plateforge
