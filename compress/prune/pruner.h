#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "compress/calibration.h"
#include "compress/layers.h"
#include "compress/prune/allocation.h"
#include "compress/prune/second_order.h"
#include "compress/prune/sensitivity.h"
#include "configs/run_config.h"
#include "models/tensor_dict.h"

namespace plateforge {

// Prunes a network once, in place, as its config says: scores, allocation, zeros; where there are
// calibration plates, BatchNorm statistics are estimated anew.
class Pruner {
 public:
  // `image_shape` is [1, 3, H, W]. `scan_file`, when given, keeps what a sensitivity scan measured,
  // so that an interrupted scan goes on and a finished one is not repeated. Throws Error for what
  // allocate() refuses, for a pattern that is none, and when the config asks for something that
  // needs plates and `calibration` has none.
  Pruner(Network& network, const Shape& image_shape, const PruneConfig& config,
         Calibration calibration, std::filesystem::path scan_file = {});

  // Layer name -> share of zeros. With config.max_drop or max_bytes the ratio is searched for by
  // pruning, measuring and correcting.
  std::map<std::string, double> prune();

  // The ratio of every layer when `ratio` of all weights go; the network is unpruned afterwards.
  Ratios allocate_ratios(double ratio);

  const std::vector<PrunableLayer>& layers() const { return layers_; }

 private:
  void require_plates(const std::string& what) const;
  std::vector<torch::Tensor> dense_scores();
  const LayerProblem& dense_problem(size_t layer);
  torch::Tensor mask(const torch::Tensor& scores, double ratio) const;
  void prune_to(const Ratios& ratios);
  void solve_layer(size_t layer, double ratio, bool first);
  Quality try_ratios(const Ratios& ratios);
  void restore();
  void estimate_norms();
  Ratios pattern_ratios() const;
  Ratios sensitivity_ratios(double ratio);
  std::string scan_key() const;
  double ratio_within_bytes();
  double ratio_within_drop(double most);

  Network& network_;
  PruneConfig config_;
  Calibration calibration_;
  std::filesystem::path scan_file_;
  Graph graph_;        // shares the network's memory
  Graph dense_graph_;  // keeps the unpruned weights
  std::vector<PrunableLayer> layers_;
  std::vector<torch::Tensor> state_, dense_state_;  // parameters and buffers, now and unpruned
  std::vector<torch::Tensor> scores_;               // of the unpruned network
  std::vector<std::optional<LayerProblem>> problems_;
  std::vector<LayerCurve> curves_;
  bool fits_estimated_norms_ = true;
};

}  // namespace plateforge
