#pragma once

#include <string>

#include "export/onnx_model.h"

namespace plateforge {

// 64-bit FNV-1a over what the file computes: nodes, tensors, inputs, outputs, opset; not the
// metadata, where it is kept under kFingerprintKey. A program that reads the file and writes it
// again leaves it as it is, any change to a tensor or node does not.
std::string fingerprint(const OnnxModel& model);
inline constexpr auto kFingerprintKey = "fingerprint";

}  // namespace plateforge
