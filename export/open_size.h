#pragma once

#include "export/detector_outputs.h"
#include "export/onnx_model.h"

namespace plateforge {

// A detector's file, written for the model's own size, takes any width and height that are
// multiples of the coarsest stride: the extents of its input and outputs are open, its reshapes
// count, and decoded plates compute their anchors from the input's shape. Throws Error for a model
// whose own size is none of these, and for a network with attention, which is written for one
// number of places.
void open_size(OnnxModel& onnx, const ModelConfig& config, DetectorForm form);

}  // namespace plateforge
