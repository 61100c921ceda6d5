#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "compress/calibration.h"
#include "compress/layers.h"
#include "compress/prune/sparsity_schedule.h"
#include "configs/run_config.h"
#include "train/train_hook.h"

namespace plateforge {

// Prunes a network while it trains, and keeps zeros zero: after every update weights, moments and
// average are multiplied by the masks. The masks are the zeros of the weights of the pruned layers,
// so that checkpoint and model file need nothing else.
class PruneHook : public TrainHook {
 public:
  struct Setup {
    PruneConfig config;
    int64_t updates = 0;  // of the whole run
    Shape image_shape;    // [1, 3, H, W]
    // Layers that the start was pruned in: their zeros stay.
    std::map<std::string, double> kept;
    std::function<Calibration()> calibration;  // opened only when something is measured
    std::filesystem::path scan_file;
  };
  // Throws Error for a config that cannot be followed.
  explicit PruneHook(Setup setup);

  const char* name() const override { return "prune"; }
  void start(const TrainedState& trained) override;
  void after_update(const TrainedState& trained, int64_t updates) override;
  bool is_final(int64_t updates) const override;
  std::map<std::string, std::string> provenance(Network& network) const override;
  StateDict state() const override;
  void load(const StateDict& state, Network& network) override;

 private:
  bool prunes() const {
    return setup_.config.allocation != "none" || !setup_.config.pattern.empty();
  }
  void read_masks(Network& network);
  void cut(const TrainedState& trained, int64_t updates);
  void apply_masks(const TrainedState& trained);

  Setup setup_;
  SparsitySchedule schedule_;
  std::map<std::string, double> targets_;       // layer -> final ratio
  std::map<std::string, torch::Tensor> masks_;  // parameter -> float mask
};

}  // namespace plateforge
