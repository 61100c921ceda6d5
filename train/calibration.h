#pragma once

#include <vector>

#include "compress/calibration.h"
#include "data/open.h"
#include "models/model_file.h"
#include "train/evaluate.h"

namespace plateforge {

// `count` plates (all, if there are fewer) drawn from the real ones of a mix, without augmentation,
// in memory. Throws Error when there are fewer than kLeastCalibration; `origin` names
// the plates in it.
constexpr int64_t kLeastCalibration = 16;
std::vector<Batch> take_plates(const Mix& mix, const Model& model, int64_t count,
                               const std::string& origin);

// Compression's view of these plates: images, and loss and exact match of `network` on them.
Calibration make_calibration(NetworkPtr network, const Region& region, std::vector<Batch> plates,
                             const ReadOptions& options);

// Mean over the batches of the absolute gradient of the CTC loss, by parameter, the network at
// rest.
TensorDict mean_gradients(Network& network, const Region& region, const std::vector<Batch>& plates,
                          torch::Device device);

}  // namespace plateforge
