#pragma once

#include "data/loader.h"
#include "models/mae.h"
#include "train/task.h"

namespace plateforge {

// Pre-trains a reader's encoder on pictures without labels: hidden patches are painted.
class MaeTask : public Task {
 public:
  struct Options {
    std::string precision = "fp32";
    torch::Device device = torch::kCPU;
  };
  // `val` does not shuffle; its batches are those of make_masked_batches(). The network is a
  // MaskedAutoencoder.
  MaeTask(Model model, Loader& val, Options options);

  torch::Tensor loss(const Batch& batch) override;
  // With a picture of some plates: whole, masked and painted.
  Evaluation evaluate() override;

 private:
  MaskedAutoencoder& autoencoder() { return dynamic_cast<MaskedAutoencoder&>(network()); }

  Loader& val_;
  Options options_;
};

}  // namespace plateforge
