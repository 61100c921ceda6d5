#pragma once

#include <torch/types.h>

#include <functional>

#include "compress/calibration.h"
#include "models/network.h"

namespace plateforge {

// Normalised images [N, 3, H, W] on the network's device, a batch per call.
using NextImages = std::function<torch::Tensor()>;

// Replaces the running statistics of every BatchNorm module by the plain mean over `batches`
// batches: what the weights compute after they changed (pruning, averaging). Nothing else is in
// training mode, so dropout is at rest and no random number is drawn. Without BatchNorm modules (a
// folded graph) nothing happens and no batch is asked for.
void estimate_batch_norm(Network& network, int64_t batches, const NextImages& next);

// Estimates them on the calibration's images, when there are any.
void estimate_batch_norm(Network& network, const Calibration& plates);

// Whether the network as it is reads the plates about as well with statistics estimated on them;
// they are then put back. One that was trained to other statistics than its plates have
// would be ruined by new ones. True when there is nothing to measure.
bool fits_estimated_norms(Network& network, const Calibration& plates);

}  // namespace plateforge
