#pragma once

#include <string>
#include <utility>
#include <vector>

#include "configs/run_config.h"

namespace plateforge {

struct Preflight {
  std::vector<std::pair<std::string, std::string>> findings;  // what is checked, what was found
  bool sound = true;
};

// A dry run of a training: opens region, data and model, checks that alphabet and time steps fit
// the labels, then takes a few real steps to estimate time and memory. Throws Error as training
// would.
Preflight preflight(const RunConfig& config);

}  // namespace plateforge
