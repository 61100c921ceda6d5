#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "configs/run_config.h"
#include "data/loader.h"
#include "models/model_file.h"
#include "train/task.h"
#include "train/train_hook.h"
#include "train/trainer.h"

namespace plateforge {

// What a run trains: network, data and loss, whatever the kind of task.
struct Training {
  std::unique_ptr<Loader> val, train;  // `val` belongs to the task
  std::unique_ptr<Task> task;
  std::unique_ptr<TrainHook> pruning;  // null when nothing is or becomes zero
  // What people want to know of it before it starts: a title and a line each.
  std::vector<std::pair<std::string, std::string>> findings;
};

// Opens what `config` names. Pictures that are worth it are cached below `folder`, where pruning
// leaves its measurements too. Throws Error for everything that does not fit together.
Training open_training(const RunConfig& config, torch::Device device,
                       const std::filesystem::path& folder);

// Trains one stage as `config` says in the folder `run`, which exists with a `checkpoints` folder
// in it; `resume` goes on from the newest checkpoint there. The best weights end in
// run/model.safetensors.
Outcome train_once(const RunConfig& config, const std::filesystem::path& run, bool resume);

}  // namespace plateforge
