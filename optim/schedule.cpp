#include "optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "configs/error.h"
#include "optim/plateau.h"

namespace plateforge {
namespace {

double ratio(int64_t part, int64_t whole) {
  return static_cast<double>(part) / static_cast<double>(std::max<int64_t>(whole, 1));
}

// From `a` at position 0 to `b` at position 1 along half a cosine.
double cosine(double a, double b, double position) {
  return a + (1 - std::cos(std::numbers::pi * position)) * (b - a) / 2;
}

// Rates that are a pure function of the step, after a linear warm-up.
class WarmedUp : public Schedule {
 public:
  explicit WarmedUp(const OptimConfig& config) : config_(config) {}
  double lr(int64_t step) const override {
    const int64_t warmup = config_.warmup_steps;
    return step < warmup ? after_warmup(0) * ratio(step + 1, warmup) : after_warmup(step - warmup);
  }
  double beta1(int64_t) const override { return config_.beta1; }

 protected:
  const OptimConfig config_;

 private:
  virtual double after_warmup(int64_t step) const = 0;
};

class Constant final : public WarmedUp {
 public:
  using WarmedUp::WarmedUp;

 private:
  double after_warmup(int64_t) const override { return config_.lr; }
};

class Cosine final : public WarmedUp {
 public:
  Cosine(const OptimConfig& config, int64_t total_steps)
      : WarmedUp(config), steps_(total_steps - config.warmup_steps) {}

 private:
  double after_warmup(int64_t step) const override {
    return cosine(config_.lr, std::min(config_.min_lr, config_.lr),
                  std::min(ratio(step, steps_), 1.0));
  }
  int64_t steps_;
};

// Milestones count from the start of training, warm-up included.
class Step final : public WarmedUp {
 public:
  using WarmedUp::WarmedUp;

 private:
  double after_warmup(int64_t step) const override {
    const auto passed =
        std::count_if(config_.step_milestones.begin(), config_.step_milestones.end(),
                      [&](int64_t milestone) { return step + config_.warmup_steps >= milestone; });
    return config_.lr * std::pow(config_.step_factor, static_cast<double>(passed));
  }
};

// fastai's fit_one_cycle: position = updates done / total.
class OneCycle final : public Schedule {
 public:
  OneCycle(const OptimConfig& config, int64_t total_steps) : config_(config), steps_(total_steps) {}

  double lr(int64_t step) const override {
    const double top = config_.lr;
    return cycle(step, top / config_.one_cycle_div, top, top / config_.one_cycle_div_final);
  }
  double beta1(int64_t step) const override { return cycle(step, 0.95, 0.85, 0.95); }

 private:
  double cycle(int64_t step, double start, double peak, double end) const {
    const double position = std::clamp(ratio(step, steps_), 0.0, 1.0);
    const double rise = config_.one_cycle_pct_start;
    if (position < rise) return cosine(start, peak, position / rise);
    return cosine(peak, end, (position - rise) / (1 - rise));
  }
  const OptimConfig config_;
  int64_t steps_;
};

}  // namespace

std::unique_ptr<Schedule> make_schedule(const OptimConfig& config, int64_t total_steps) {
  if (config.schedule == "constant") return std::make_unique<Constant>(config);
  if (config.schedule == "one_cycle") return std::make_unique<OneCycle>(config, total_steps);
  if (config.schedule == "cosine") return std::make_unique<Cosine>(config, total_steps);
  if (config.schedule == "step") return std::make_unique<Step>(config);
  if (config.schedule == "plateau") return make_plateau(config);
  fail("unknown schedule '", config.schedule,
       "'; known: constant, one_cycle, cosine, step, plateau");
}

}  // namespace plateforge
