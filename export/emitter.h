#pragma once

#include <string>
#include <vector>

#include "export/onnx_model.h"
#include "models/graph/graph.h"

namespace plateforge {

constexpr int64_t kOpsetOf16Bits = 21;  // the first whose QuantizeLinear makes 16-bit integers

// How the quantised layers of a graph are spelled in a file.
struct QuantizedSpelling {
  // Weights as integers with a DequantizeLinear; otherwise as floats with QuantizeLinear and
  // DequantizeLinear, which every TensorRT reads.
  bool integer_weights = true;
  // Biases as int32 with the scale s_x * s_w[c] of the products that they are added to, where input
  // and weight are 8-bit integers; otherwise float.
  bool integer_biases = true;
};

// Walks the graph and writes each node one to one; the first input is called "images", the outputs
// as `outputs` lists them. Throws Error for an opset that cannot be written or is too old for the
// graph's 16-bit tensors, a range of integers that no ONNX type has, and a bias that does not fit
// int32.
OnnxModel emit(Graph graph, const std::vector<std::string>& outputs, int64_t opset,
               const QuantizedSpelling& spelling);

}  // namespace plateforge
