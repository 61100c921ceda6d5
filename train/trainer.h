#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "configs/run_config.h"
#include "data/loader.h"
#include "optim/optimizer.h"
#include "optim/schedule.h"
#include "train/best_weights.h"
#include "train/checkpoint.h"
#include "train/progress.h"
#include "train/state.h"
#include "train/task.h"
#include "train/train_hook.h"

namespace plateforge {

enum class Outcome { kFinished, kInterrupted, kOutOfTime };

// The loop: order of a step, validation, checkpoints, resume. It owns no maths (Task) and no data
// (Loader). Everything it needs to go on exactly is in one StateDict, so that resume is "load it
// and continue the same loop": killed at any step, fp32 and bf16 training on a CPU end in the same
// bytes.
class Trainer {
 public:
  // `train` shuffles. `run` exists and can be written.
  Trainer(const RunConfig& config, Task& task, Loader& train, torch::Device device,
          std::filesystem::path run);
  ~Trainer();

  // Before resume() and run().
  void add_hook(std::unique_ptr<TrainHook> hook) { hooks_.push_back(std::move(hook)); }
  // Goes on from the newest whole checkpoint of the run folder. Throws Error when there is none.
  void resume();
  Outcome run();

  const TrainState& state() const { return state_; }
  // Which weights model.safetensors holds; once something was validated.
  std::string kept_weights() const { return best_.line(state_); }

 private:
  void train_step();
  void take_losses();
  void validate();
  void save_checkpoint();
  void roll_back();
  void load(const StateDict& whole);
  StateDict everything() const;
  bool weights_are_finite() const;
  bool network_is_final() const;
  std::map<std::string, std::string> provenance(const Evaluation& evaluation) const;
  TrainedState trained() const { return {task_.network(), *optimizer_, ema_.get()}; }

  RunConfig config_;
  Task& task_;
  Loader& train_;
  torch::Device device_;
  std::filesystem::path run_;
  BestWeights best_;
  CheckpointStore checkpoints_;
  std::vector<ParamGroup> groups_;
  StagedFreeze freeze_;
  std::unique_ptr<Optimizer> optimizer_;
  std::unique_ptr<Schedule> schedule_;
  std::unique_ptr<Ema> ema_;
  std::unique_ptr<Progress> progress_;
  std::vector<std::unique_ptr<TrainHook>> hooks_;
  bool resumed_ = false;
  TrainState state_;
  std::vector<torch::Tensor> pending_losses_;  // on the device, read at the log interval
  bool stop_ = false;                          // early stopping or the schedule's end
};

// Asks every running Trainer to save and return kInterrupted; safe in a signal handler.
void request_interrupt();

}  // namespace plateforge
