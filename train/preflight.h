#pragma once

#include <string>
#include <utility>
#include <vector>

#include "configs/run_config.h"

namespace plateforge {

using Finding = std::pair<std::string, std::string>;  // what was looked at, what was found

// A dry run of a training and each of its stages: opens region, data and model, checks that
// alphabet and time steps fit the labels, then takes a few real steps, from fresh weights where a
// stage would go on from another's, to estimate time and memory. Throws Error as training would.
std::vector<Finding> preflight(const RunConfig& config);

}  // namespace plateforge
