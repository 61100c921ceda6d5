#pragma once

#include <torch/types.h>

#include <functional>
#include <vector>

namespace plateforge {

// How good a network is: mean loss and mean score (0..1) per sample. A reader's score is the share
// of plates read without a mistake, a detector's the share of frames with IoU above 0.7.
struct Quality {
  double loss = 0, score = 0;
};

// Samples of the training half that compression may look at.
struct Calibration {
  std::vector<torch::Tensor> images = {};      // normalised batches [N, 3, H, W]; none = no samples
  std::function<Quality()> measure = nullptr;  // judges the network as it is
};

}  // namespace plateforge
