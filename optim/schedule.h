#pragma once

#include <memory>
#include <string>

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

std::unique_ptr<Schedule> make_schedule(const OptimConfig& config, int64_t total_steps);

}  // namespace plateforge
