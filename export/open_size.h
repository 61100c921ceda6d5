#pragma once

#include "configs/run_config.h"
#include "export/onnx_model.h"

namespace plateforge {

// A detector's file, written for the model's own size with rows or heads as outputs, that takes any
// width and height that are multiples of the coarsest stride: the extents of its input and outputs
// are open and its reshapes count. Throws Error for a model whose own size is none of these, and
// for a network with attention, which is written for one number of places.
void open_size(OnnxModel& onnx, const ModelConfig& config);

}  // namespace plateforge
