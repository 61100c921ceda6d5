#pragma once

#include <torch/types.h>

#include <string>
#include <vector>

#include "compress/calibration.h"
#include "train/exam.h"

namespace plateforge {

// Network inputs of all samples, [n, 3, H, W] float.
std::vector<torch::Tensor> network_inputs(const Exam& exam);

std::vector<Batch> all_samples(const Exam& exam);

// `count` samples (all, if there are fewer) in memory. Throws Error when there are fewer than
// kLeastCalibration; `origin` names where they come from.
constexpr int64_t kLeastCalibration = 16;
std::vector<Batch> take_samples(const Exam& exam, int64_t count, const std::string& origin);

// Compression's view of these samples: images, and mean loss and score of `network` on them, the
// network at rest on the device.
Calibration make_calibration(NetworkPtr network, ExamPtr exam, std::vector<Batch> samples,
                             torch::Device device);

// Mean over the batches of the absolute gradient of the loss, by parameter, the network at rest.
TensorDict mean_gradients(Network& network, const Exam& exam, const std::vector<Batch>& samples,
                          torch::Device device);

// All samples as a jury over networks.
Jury make_jury(const ExamPtr& exam);

}  // namespace plateforge
