#pragma once

#include "data/loader.h"
#include "models/mae.h"
#include "models/model_file.h"
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
  // MaskedAutoencoder and is moved to the device.
  MaeTask(Model model, Loader& val, Options options);

  Network& network() override { return *model_.network; }
  torch::Tensor loss(const Batch& batch) override;
  // With a picture of some plates: whole, masked and painted.
  Evaluation evaluate() override;
  void save(const std::filesystem::path& file,
            const std::map<std::string, std::string>& provenance) override;

 private:
  MaskedAutoencoder& autoencoder() { return dynamic_cast<MaskedAutoencoder&>(*model_.network); }

  Model model_;
  Loader& val_;
  Options options_;
};

}  // namespace plateforge
