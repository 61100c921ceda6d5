#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "configs/train_sweep.h"
#include "train/trainer.h"

namespace plateforge {

// A cell of a sweep with its resolved config.
struct SweepCell {
  std::string name;
  RunConfig config;
};

// The cells named in `only` (all when it is empty), `overrides` last; those of a stage are for the
// cells that have it. Throws Error for an unknown name, listing the known ones, and for an override
// that is wrong.
std::vector<SweepCell> sweep_cells(const TrainSweepConfig& sweep,
                                   const std::vector<std::string>& only,
                                   const std::vector<std::string>& overrides);

// Trains every cell in run/NAME, going on where an earlier call stopped; finished ones are left
// alone. `results` becomes an object per finished cell of the folder, of earlier calls too: cell,
// parameters, step, validation; the same goes into run/sweep.json. Throws Error, before anything is
// trained, when a cell's folder holds a run of another config.
Outcome run_train_sweep(const std::vector<SweepCell>& cells, const std::filesystem::path& run,
                        std::vector<nlohmann::json>& results);

// A table for people.
std::string train_sweep_text(const std::vector<nlohmann::json>& results);

}  // namespace plateforge
