#pragma once

#include <torch/nn/module.h>

#include <memory>
#include <string>

#include "configs/region.h"
#include "configs/run_config.h"

namespace plateforge {

// A network with one image input and one tensor output. Input: [N, 3, H, W] float,
// (BGR - 127.5) / 128. A reader's output: [N, C, T] logits; class C-1 is the CTC blank, or the end
// of the text where steps are slots, one per character. A detector's: [N, A, K] as
// models/detector.h lays it out.
class Network : public torch::nn::Module {
 public:
  virtual torch::Tensor forward(const torch::Tensor& images) = 0;
};
using NetworkPtr = std::shared_ptr<Network>;

// (pixels - 127.5) / 128 as float, on the device of `images`; [N, 3, H, W] uint8 in and out, memory
// format kept.
torch::Tensor normalize(const torch::Tensor& images);

// Numbers that training can change.
int64_t count_parameters(const torch::nn::Module& module);

// Builds a network by config.name for `num_classes` outputs (alphabet + blank), with fresh weights
// that follow from `seed`. Throws Error for an unknown name, listing the known ones, and for an
// input size that the network cannot take.
NetworkPtr make_network(const ModelConfig& config, int64_t num_classes, uint64_t seed = 0);

// The config with what follows from the region: the slots of a reader.
ModelConfig for_region(ModelConfig config, const Region& region);

// Output steps T of a reader for its configured input width; longest label that CTC can emit.
// Throws Error for any other network.
int64_t time_steps(const ModelConfig& config);

// Fresh weights: convolutions and linear layers Kaiming-normal over their fan-in for ReLU (He et
// al. 2015), biases zero, norms one and zero. The same seed gives the same weights on any machine
// with the same LibTorch.
void initialize_layers(torch::nn::Module& module, uint64_t seed);

}  // namespace plateforge
