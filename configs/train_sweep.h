#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "configs/run_config.h"

namespace plateforge {

// Runs to compare: one config with overrides for all of them and for each.
struct TrainSweepConfig {
  std::string config;
  std::vector<std::string> set;
  std::vector<StageConfig> cells;

  template <class V>
  void visit(V& v) {
    v("config", config, "run config of all cells", Anything{});
    v("set", set, "list of section.key=value for all of them", Anything{});
    v("cells", cells, "list of {name, set: [section.key=value, ...]}: one run each", Anything{});
  }
};

// As read_run_config.
TrainSweepConfig read_train_sweep(const std::filesystem::path& file);

}  // namespace plateforge
