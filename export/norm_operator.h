#pragma once

#include "export/onnx_model.h"

namespace plateforge {

// LayerNormalization (ONNX operator since opset 17) in place of the steps that a LayerNorm of
// tokens [N, T, D] with a scale is written in: mean, difference, variance, root, quotient, scale,
// shift. Raises an older opset to 17 where there is one.
void write_norm_operators(OnnxModel& model);

}  // namespace plateforge
