#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "configs/visit.h"

namespace plateforge {

// A grid of prunings of one model: every allocation with every score, schedule and ratio.
struct PruneSweepConfig {
  std::string model;
  std::string calibrate;
  std::string data;
  int64_t samples = 512;
  std::vector<std::string> allocations = {"uniform", "global", "norm_global", "lamp"};
  std::vector<std::string> scores = {"magnitude"};
  std::vector<double> ratios = {0.5, 0.8, 0.9};
  std::string fine_tune;
  int64_t steps = 500;
  std::vector<std::string> schedules = {"one_shot"};

  template <class V>
  void visit(V& v) {
    v("model", model, "model file to prune", Anything{});
    v("calibrate", calibrate, "SPEC of labelled samples of the training half", Anything{});
    v("data", data, "SPEC of labelled samples to measure on", Anything{});
    v("samples", samples, "calibration samples", in_range(16, 1e6));
    v("allocations", allocations, "how zeros are shared out",
      one_of({"uniform", "global", "norm_global", "erk", "lamp", "sensitivity"}));
    v("scores", scores, "which weights go first", one_of({"magnitude", "wanda", "second_order"}));
    v("ratios", ratios, "shares of the weights that become zero", in_range(0.0, 0.999));
    v("fine_tune", fine_tune, "run config to fine-tune each cell with; empty = one-shot alone",
      Anything{});
    v("steps", steps, "updates of the fine-tuning", in_range(1, 1e9));
    v("schedules", schedules, "how the ratio grows in the fine-tuning",
      one_of({"one_shot", "cubic", "exponential", "iterative"}));
  }
};

// As read_run_config.
PruneSweepConfig read_prune_sweep(const std::filesystem::path& file,
                                  const std::vector<std::string>& overrides = {});
std::string write_prune_sweep(const PruneSweepConfig& config);

}  // namespace plateforge
