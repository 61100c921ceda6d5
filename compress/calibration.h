#pragma once

#include <torch/torch.h>

#include <functional>
#include <vector>

namespace plateforge {

// How well a network reads: mean loss per plate, share of plates read without a mistake.
struct Quality {
  double loss = 0, exact_match = 0;
};

// Plates of the training half that compression may look at.
struct Calibration {
  std::vector<torch::Tensor> images = {};      // normalised batches [N, 3, H, W]; none = no plates
  std::function<Quality()> measure = nullptr;  // reads them with the network as it is
};

}  // namespace plateforge
