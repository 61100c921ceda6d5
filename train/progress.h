#pragma once

#include <chrono>
#include <filesystem>
#include <memory>

#include "configs/run_config.h"
#include "train/task.h"

namespace plateforge {

struct StepReport {
  int64_t step = 0;
  double loss = 0;  // mean since the last report
  double lr = 0;
  double epoch = 0;  // passes over the data, fractional
};

// Everything a run says while it trains: the console line, metrics.jsonl, TensorBoard events and
// the pictures of its validations, pictures/NAME-STEP.png. The JSON lines are the record; the
// console is a projection of them.
class Progress {
 public:
  Progress(const std::filesystem::path& run, const RunConfig& config);
  ~Progress();

  void count(int64_t samples) { samples_ += samples; }
  void report_step(const StepReport& report);
  void report_validation(int64_t step, const Evaluation& evaluation, bool best);
  // Drops the lines after `step`, so that a resumed run has each step once.
  void resume_at(int64_t step);

 private:
  struct Sinks;
  std::unique_ptr<Sinks> sinks_;
  std::filesystem::path pictures_;
  int64_t total_steps_;
  int64_t samples_ = 0, last_step_ = 0;
  std::chrono::steady_clock::time_point last_time_;
};

}  // namespace plateforge
