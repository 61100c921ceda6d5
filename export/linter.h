#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "export/onnx_model.h"

namespace plateforge {

// Whether a runtime will run a multiplying node (convolution, Gemm, MatMul) on integers.
struct KernelForecast {
  std::string node, op_type;
  bool onnxruntime = false, openvino = false;
};

// A pattern that makes a quantised file slower or wrong in a runtime.
struct LintFinding {
  std::string runtime;  // onnxruntime, openvino, tensorrt, tvm
  std::string node;     // the first node that has it
  std::string text;     // one sentence
  int64_t more = 0;     // further nodes with the same
};

struct LintReport {
  std::vector<KernelForecast> kernels;
  std::vector<LintFinding> findings;

  int64_t integer_kernels(const std::string& runtime) const;  // onnxruntime or openvino
  std::vector<LintFinding> about(const std::vector<std::string>& runtimes) const;
  nlohmann::json to_json() const;
};

// What ONNX Runtime (1.20 to 1.31, x86) and OpenVINO (2024 to 2026, CPU) will make of a file's
// quantised nodes, by the rules of their fusions: ORT's QDQ selectors (every input from a
// DequantizeLinear, the output into exactly one QuantizeLinear, a ReLU between only where that
// clips at zero anyway) and OpenVINO's low-precision transformations (integers on both sides, which
// it finds through pools, slices and reshapes). Files without quantised nodes have no findings.
LintReport lint(const OnnxModel& model);

}  // namespace plateforge
