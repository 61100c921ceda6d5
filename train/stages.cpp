#include "train/stages.h"

#include <set>

#include "configs/atomic_file.h"
#include "configs/error.h"
#include "configs/log.h"
#include "configs/yaml.h"
#include "train/training.h"

namespace plateforge {
namespace {

namespace fs = std::filesystem;

constexpr const char* kModelFile = "model.safetensors";

// A stage begins when the one before has ended: its config is the mark of that.
bool is_begun(const Stage& stage) { return fs::exists(stage.folder / "config.yaml"); }

}  // namespace

std::vector<Stage> stages_of(const RunConfig& config, const fs::path& run) {
  std::vector<Stage> stages;
  std::set<std::string> names;
  for (const auto& [name, overrides] : config.stages) {
    require(!name.empty() && name.find_first_of("/. ") == std::string::npos, "stages: '", name,
            "' cannot be the name of a folder");
    require(names.insert(name).second, "stages: two are called '", name, "'");
    Stage stage{name, run / (std::to_string(stages.size() + 1) + "-" + name), config};
    stage.config.stages.clear();
    override_run_config(stage.config, overrides);
    auto& start = stage.config.model.init_from;
    if (!stages.empty() && start == config.model.init_from)
      start = (stages.back().folder / kModelFile).string();
    stages.push_back(std::move(stage));
  }
  return stages;
}

Outcome train_run(const RunConfig& config, const fs::path& run, bool resume) {
  if (config.stages.empty()) return train_once(config, run, resume);
  const auto stages = stages_of(config, run);
  for (size_t i = 0; i < stages.size(); ++i) {
    const auto& stage = stages[i];
    const bool ended =
        i + 1 < stages.size() ? is_begun(stages[i + 1]) : fs::exists(run / kModelFile);
    if (ended) continue;
    log_info("stage " + std::to_string(i + 1) + " of " + std::to_string(stages.size()) + ": " +
             stage.name);
    const auto outcome = train_or_resume(stage.config, stage.folder);
    if (outcome != Outcome::kFinished) return outcome;
  }
  write_file_atomically(run / kModelFile, read_file(stages.back().folder / kModelFile));
  log_info("all stages done; weights: " + (run / kModelFile).string());
  return Outcome::kFinished;
}

Outcome train_or_resume(const RunConfig& config, const fs::path& run) {
  const auto checkpoints = run / "checkpoints";
  fs::create_directories(checkpoints);
  write_file_atomically(run / "config.yaml", write_run_config(config));
  return train_run(config, run, /*resume=*/!fs::is_empty(checkpoints));
}

}  // namespace plateforge
