#pragma once

#include <memory>

#include "models/neck.h"
#include "models/network.h"
#include "models/scrfd_head.h"

namespace plateforge {

// A detector of the SCRFD kind (Guo et al., arXiv 2105.04714) with the parts that
// ModelConfig::detector names. [N, 3, H, W] of any size -> [N, A, K] as models/detector.h lays it
// out; a level of stride s has ceil(H / s) x ceil(W / s) locations.
class Scrfd : public Network {
 public:
  explicit Scrfd(const DetectorConfig& config);
  torch::Tensor forward(const torch::Tensor& images) override;
  // Every part as its authors publish it.
  void initialize(uint64_t seed);

 private:
  std::shared_ptr<Backbone> backbone_;
  std::shared_ptr<Neck> neck_;
  std::shared_ptr<ScrfdHead> head_;
};

// Detectors know no classes: `num_classes` is there for make_network() and is ignored. Throws Error
// for parts that do not fit together.
NetworkPtr make_scrfd(const ModelConfig& config, int64_t num_classes, uint64_t seed);

// Throws Error: only readers have output steps.
int64_t scrfd_time_steps(const ModelConfig& config);

}  // namespace plateforge
