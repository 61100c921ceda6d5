#pragma once

#include <torch/torch.h>

#include <string>
#include <vector>

#include "compress/calibration.h"
#include "compress/quantize/accuracy_bound.h"
#include "train/evaluate.h"

namespace plateforge {

// Some plates of a SPEC: `count` of them (all when there are fewer), drawn without repeats by the
// seed.
Mix draw_plates(const Mix& mix, int64_t count, uint64_t seed);

// Network inputs for a model's size, [n, 3, H, W] float, without augmentation.
std::vector<torch::Tensor> network_inputs(const Mix& mix, const Model& model);

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

// Throws Error naming two plates when a calibration picture also is one that is measured on (the
// same picture, re-encoded or scaled included).
void require_apart(const Mix& calibration, const Mix& measured);

// The plates of a SPEC as a jury over readers, greedy decoding. The score of a plate is its metric
// (a key of ReaderMetrics), turned round where less is better. Throws Error for an unknown metric.
Jury reader_jury(const Mix& mix, const Model& model, const std::string& metric);

}  // namespace plateforge
