#pragma once

#include <filesystem>

#include "configs/run_config.h"
#include "train/trainer.h"

namespace plateforge {

// Trains a reader as `config` says in the folder `run`, which exists with a `checkpoints` folder in
// it; `resume` goes on from the newest checkpoint there. The best weights end in
// run/model.safetensors.
Outcome train_reader(const RunConfig& config, const std::filesystem::path& run, bool resume);

}  // namespace plateforge
