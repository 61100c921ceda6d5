#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "configs/run_config.h"
#include "train/trainer.h"

namespace plateforge {

// A stage as it is trained: an ordinary run in a folder of its own below the run's.
struct Stage {
  std::string name;
  std::filesystem::path folder;
  RunConfig config;  // resolved, without stages
};

// The stages of a run in order. Every stage but the first starts from the best weights of the one
// before, unless it names another model.init_from. Throws Error for a name that is used twice or is
// no folder name, and for an override that is wrong.
std::vector<Stage> stages_of(const RunConfig& config, const std::filesystem::path& run);

// Trains as `config` says in the folder `run`, stage after stage; `resume` goes on where it was
// left. The best weights of the last stage end in run/model.safetensors.
Outcome train_run(const RunConfig& config, const std::filesystem::path& run, bool resume);

// The same in a folder that is made when it is not there: from the beginning, or on from where an
// earlier call was left.
Outcome train_or_resume(const RunConfig& config, const std::filesystem::path& run);

}  // namespace plateforge
