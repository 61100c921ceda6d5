#pragma once

#include "export/onnx_model.h"

namespace plateforge {

// Weights and arithmetic in 16-bit floats; inputs and outputs of the file stay float. What squares,
// averages, divides or exponentiates stays float, with casts around: beyond 65504 there is only
// infinity, and the squares of a context normaliser get there.
void to_half(OnnxModel& model);

}  // namespace plateforge
