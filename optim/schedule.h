#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "configs/run_config.h"
#include "optim/state.h"

namespace plateforge {

// The learning rate (and Adam's beta1 for one-cycle) of every update.
class Schedule {
 public:
  virtual ~Schedule() = default;
  virtual double lr(int64_t step) const = 0;
  virtual double beta1(int64_t step) const = 0;
  // Feeds the training losses seen since the last call (plateau only). Returns a sentence when the
  // rate was changed ("lr 1e-3 -> 5e-4: no progress for 2000 steps (simple 2104, robust 2044)").
  virtual std::string observe(const std::vector<double>& losses) { return (void)losses, ""; }
  // True when training should end (plateau below min_lr).
  virtual bool finished() const { return false; }
  virtual StateDict state() const { return {}; }
  virtual void load(const StateDict&) {}
};

// `total_steps` is the length of the run; one_cycle and cosine end there and stay at their last
// value. one_cycle follows fastai's fit_one_cycle (beta1 0.95 -> 0.85 -> 0.95) and has no other
// warm-up. Throws Error for an unknown name.
std::unique_ptr<Schedule> make_schedule(const OptimConfig& config, int64_t total_steps);

}  // namespace plateforge
