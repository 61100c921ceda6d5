#include "export/open_size.h"

#include <algorithm>

#include "configs/error.h"

namespace plateforge {
namespace {

constexpr int64_t kCopied = 0, kCounted = -1;  // extents in the shape of a Reshape

torch::Tensor& initializer(OnnxModel& onnx, const std::string& name) {
  const auto found = std::find_if(onnx.initializers.begin(), onnx.initializers.end(),
                                  [&](const auto& entry) { return entry.first == name; });
  require(found != onnx.initializers.end(), "'", name, "' is no initializer");
  return found->second;
}

// [N, anchors, values] is the only shape that a detector without attention reshapes to.
void count_anchors(OnnxModel& onnx, const OnnxNode& reshape) {
  auto& shape = initializer(onnx, reshape.inputs.at(1));
  require(shape.numel() == 3, "the size cannot be open: '", reshape.name,
          "' is written for one size, as attention is; export it with --size static");
  shape = torch::tensor({kCopied, kCounted, shape[2].item<int64_t>()}, torch::kLong);
}

}  // namespace

void open_size(OnnxModel& onnx, const ModelConfig& config) {
  const auto coarsest = config.detector.strides.back();
  require(config.width % coarsest == 0 && config.height % coarsest == 0,
          "the size cannot be open: the model's own, ", config.width, "x", config.height,
          ", must be a multiple of its coarsest stride ", coarsest);
  for (const auto& node : onnx.nodes)
    if (node.op_type == "Reshape") count_anchors(onnx, node);
  auto& input = onnx.inputs.at(0).shape;
  input.at(2) = input.at(3) = -1;
  for (auto& output : onnx.outputs) output.shape.at(1) = -1;
}

}  // namespace plateforge
