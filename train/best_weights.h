#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "configs/run_config.h"
#include "train/state.h"

namespace plateforge {

// Whether train.best_by can name it whatever the task measures: "loss", and "last" for the last
// weights whatever was measured.
bool fits_every_task(const std::string& best_by);

// Which of the validated weights a run keeps, as train.best_by says.
class BestWeights {
 public:
  // Throws Error where "last" is to stop early: it knows no better weights to wait for.
  explicit BestWeights(const TrainConfig& config);

  // Whether these are the ones to keep from now on; `state` then remembers them. Of equals the one
  // with the smaller loss. `measured` is the JSON of an Evaluation.
  bool take(const nlohmann::json& measured, TrainState& state) const;

  // "best loss 0.012300 at step 700", "last weights, of step 700".
  std::string line(const TrainState& state) const;

 private:
  std::string by_;
};

}  // namespace plateforge
