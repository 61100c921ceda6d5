#pragma once

#include <torch/torch.h>

#include <functional>

#include "models/network.h"

namespace plateforge {

// Normalised images [N, 3, H, W] on the network's device, a batch per call.
using NextImages = std::function<torch::Tensor()>;

// Replaces the running statistics of every BatchNorm module by the plain mean over `batches`
// batches: what the weights compute after they changed (pruning, averaging). Nothing else is in
// training mode, so dropout is at rest and no random number is drawn. Without BatchNorm modules (a
// folded graph) nothing happens and no batch is asked for.
void estimate_batch_norm(Network& network, int64_t batches, const NextImages& next);

}  // namespace plateforge
