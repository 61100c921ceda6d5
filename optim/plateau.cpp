#include "optim/plateau.h"

#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <sstream>
#include <vector>

#include "configs/error.h"

namespace plateforge {
namespace {

// Walks from the newest value to the oldest. Backwards, a positive slope means that the series was
// decreasing. Values above `limit` are not fitted but do count as steps.
int64_t count_backwards(const std::deque<double>& values, double probability, double limit) {
  RunningSlope slope;
  int64_t steps = 0, result = 0;
  for (auto value = values.rbegin(); value != values.rend(); ++value) {
    ++steps;
    if (*value <= limit) slope.add(*value);
    if (slope.count() > 2 && slope.probability_positive() < probability) result = steps;
  }
  return result;
}

class Plateau final : public Schedule {
 public:
  explicit Plateau(const OptimConfig& config)
      : rate_(config.lr),
        min_lr_(config.min_lr),
        beta1_(config.beta1),
        factor_(config.plateau_factor),
        patience_(config.plateau_patience),
        warmup_(config.warmup_steps) {}

  double lr(int64_t step) const override {
    if (step >= warmup_) return rate_;
    return rate_ * static_cast<double>(step + 1) / static_cast<double>(warmup_);
  }
  double beta1(int64_t) const override { return beta1_; }
  bool finished() const override { return rate_ < min_lr_; }

  std::string observe(const std::vector<double>& losses) override {
    std::string told;
    for (const double loss : losses) {
      if (++seen_ <= warmup_ || !std::isfinite(loss)) continue;
      window_.push_back(loss);
      if (static_cast<int64_t>(window_.size()) > patience_) window_.pop_front();
      budget_ += kBudgetPerLoss;
      if (budget_ <= patience_) continue;
      budget_ = 0;
      const std::string change = test();
      if (!change.empty()) told += (told.empty() ? "" : "; ") + change;
    }
    return told;
  }

  StateDict state() const override {
    StateDict state;
    state.put("rate", rate_);
    state.put("seen", seen_);
    state.put("budget", budget_);
    state.tensors["window"] =
        torch::tensor(std::vector<double>(window_.begin(), window_.end()), torch::kFloat64);
    return state;
  }

  void load(const StateDict& state) override {
    const auto& saved = state.tensor("window");
    require(saved.scalar_type() == torch::kFloat64 && saved.dim() == 1,
            "the saved plateau schedule has a loss window of ", saved.scalar_type(), " ",
            saved.sizes(), ", expected a list of Double");
    const auto window = saved.contiguous();
    rate_ = state.number("rate");
    seen_ = state.integer("seen");
    budget_ = state.integer("budget");
    const double* first = window.const_data_ptr<double>();
    window_.assign(first, first + window.numel());
    while (static_cast<int64_t>(window_.size()) > patience_) window_.pop_front();
  }

 private:
  static constexpr int64_t kBudgetPerLoss = 200;

  std::string test() {
    const int64_t simple = count_steps_without_decrease(window_);
    if (simple < patience_) return "";
    const int64_t robust = count_steps_without_decrease_robust(window_);
    if (robust < patience_) return "";
    const double before = rate_;
    rate_ *= factor_;
    const int64_t dropped = 400 + patience_ / 10;
    window_.erase(window_.begin(),
                  window_.begin() + std::min(dropped, static_cast<int64_t>(window_.size())));
    std::ostringstream text;
    text << "lr " << before << " -> " << rate_ << ": no progress for " << patience_
         << " steps (simple " << simple << ", robust " << robust << ")";
    return text.str();
  }

  double rate_;
  const double min_lr_, beta1_, factor_;
  const int64_t patience_, warmup_;
  int64_t seen_ = 0, budget_ = 0;
  std::deque<double> window_;
};

}  // namespace

void RunningSlope::add(double y) {
  const auto x = static_cast<double>(count_);
  const double rx0 = r00_ * x + r01_;  // R (x, 1)^T
  const double rx1 = r01_ * x + r11_;
  const double t = 1 + x * rx0 + rx1;
  r00_ -= rx0 * rx0 / t;
  r01_ -= rx0 * rx1 / t;
  r11_ -= rx1 * rx1 / t;
  const double error = y - (slope_ * x + intercept_);
  slope_ += (r00_ * x + r01_) * error;
  intercept_ += (r01_ * x + r11_) * error;
  const double left = y - (slope_ * x + intercept_);
  residual_ += left * left * t;
  ++count_;
}

double RunningSlope::probability_positive() const {
  TORCH_CHECK(count_ > 2, "RunningSlope needs more than two values, has ", count_);
  const auto n = static_cast<double>(count_);
  const double standard_error = std::sqrt(residual_ / (n - 2) * 12 / (n * n * n - n));
  if (standard_error == 0) return slope_ > 0 ? 1 : slope_ < 0 ? 0 : 0.5;
  return 0.5 * std::erfc(-slope_ / standard_error / std::sqrt(2.0));
}

int64_t count_steps_without_decrease(const std::deque<double>& values, double probability) {
  return count_backwards(values, probability, std::numeric_limits<double>::infinity());
}

int64_t count_steps_without_decrease_robust(const std::deque<double>& values, double probability,
                                            double discard) {
  if (values.empty()) return 0;
  std::vector<double> sorted(values.begin(), values.end());
  const auto index =
      std::llround(static_cast<double>(sorted.size() - 1) * (1 - discard));  // half away from zero
  std::nth_element(sorted.begin(), sorted.begin() + index, sorted.end());
  return count_backwards(values, probability, sorted[static_cast<size_t>(index)]);
}

std::unique_ptr<Schedule> make_plateau(const OptimConfig& config) {
  return std::make_unique<Plateau>(config);
}

}  // namespace plateforge
