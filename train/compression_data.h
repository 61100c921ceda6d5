#pragma once

#include <torch/torch.h>

#include <string>
#include <vector>

#include "compress/accuracy_bound.h"
#include "data/open.h"
#include "models/model_file.h"

namespace plateforge {

// Some plates of a SPEC: `count` of them (all when there are fewer), drawn without repeats by the
// seed.
Mix draw_plates(const Mix& mix, int64_t count, uint64_t seed);

// Network inputs for a model's size, [n, 3, H, W] float, without augmentation.
std::vector<torch::Tensor> network_inputs(const Mix& mix, const Model& model);

// Throws Error naming two plates when a calibration picture also is one that is measured on (the
// same picture, re-encoded or scaled included).
void require_apart(const Mix& calibration, const Mix& measured);

// The plates of a SPEC as a jury over readers, greedy decoding. The score of a plate is its metric
// (a key of ReaderMetrics), turned round where less is better. Throws Error for an unknown metric.
Jury reader_jury(const Mix& mix, const Model& model, const std::string& metric);

}  // namespace plateforge
