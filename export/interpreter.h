#pragma once

#include <torch/types.h>

#include <string>
#include <vector>

#include "export/onnx_model.h"

namespace plateforge {

// Runs an ONNX graph node by node with LibTorch, after the operator descriptions at
// https://onnx.ai/onnx/operators (opset 13 to 21). Slow and plain on purpose: it judges what was
// written.
class OnnxInterpreter {
 public:
  // Throws Error for an operator it does not know, listing those it does. `origin` names the file.
  OnnxInterpreter(OnnxModel model, std::string origin);

  // One input; the outputs in the file's order. Throws Error naming the node when a shape or an
  // attribute does not fit.
  std::vector<torch::Tensor> run(const torch::Tensor& input) const;

  const OnnxModel& model() const { return model_; }

 private:
  OnnxModel model_;
  std::string origin_;
};

}  // namespace plateforge
