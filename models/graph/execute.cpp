#include "models/graph/execute.h"

#include "models/ops/fake_quantize.h"
#include "models/ops/layers.h"

namespace plateforge {
namespace {

using torch::Tensor;
using Inputs = std::vector<Tensor>;

Tensor optional_input(const Inputs& in, size_t index) {
  return index < in.size() ? in[index] : Tensor();
}

// https://onnx.ai/onnx/operators/onnx__DynamicQuantizeLinear.html
Tensor dynamic_fake_quantize(const Tensor& x) {
  const auto low = x.min().clamp_max(0), high = x.max().clamp_min(0);
  const auto range = high - low;
  const auto scale = torch::where(range == 0, torch::ones_like(range), range / 255);
  const auto zero_point = (-low / scale).round().clamp(0, 255);
  return ((x / scale).round() + zero_point).clamp(0, 255).sub(zero_point) * scale;
}

}  // namespace

Tensor execute(const Op& op, const Inputs& in) {
  return std::visit(
      Overloaded{
          [&](const op::Conv& o) {
            return ops::convolution(o, in[0], in[1], optional_input(in, 2));
          },
          [&](const op::Linear&) { return torch::linear(in[0], in[1], optional_input(in, 2)); },
          [&](const op::MatMul&) { return torch::matmul(in[0], in[1]); },
          [&](const op::BatchNorm& o) {
            return torch::batch_norm(in[0], in[1], in[2], in[3], in[4], /*training=*/false,
                                     /*momentum=*/0, o.epsilon, /*cudnn_enabled=*/false);
          },
          [&](const op::MaxPool& o) {
            return torch::max_pool2d(in[0], o.kernel, o.stride, o.padding);
          },
          [&](const op::AveragePool& o) {
            return torch::avg_pool2d(in[0], o.kernel, o.stride, o.padding, /*ceil_mode=*/false,
                                     o.count_padding);
          },
          [&](const op::Upsample& o) {
            const Shape extents{in[0].size(2) * o.factor[0], in[0].size(3) * o.factor[1]};
            return torch::upsample_nearest2d(in[0], extents);
          },
          [&](const op::Mean& o) { return in[0].mean(o.axes, o.keep_axes); },
          [&](const op::Slice& o) { return in[0].slice(o.axis, o.start, o.stop, o.step); },
          [&](const op::Concat& o) { return torch::cat(in, o.axis); },
          [&](const op::Reshape& o) { return in[0].reshape(o.shape); },
          [&](const op::Permute& o) { return in[0].permute(o.order); },
          [&](const op::Clamp& o) { return in[0].clamp(o.low, o.high); },
          [&](const op::Softmax& o) { return in[0].softmax(o.axis); },
          [&](const op::LogSoftmax& o) { return in[0].log_softmax(o.axis); },
          [&](const op::Identity&) { return in[0]; },
          [&](const op::Relu&) { return in[0].relu(); },
          [&](const op::Sigmoid&) { return in[0].sigmoid(); },
          [&](const op::Tanh&) { return in[0].tanh(); },
          [&](const op::Erf&) { return in[0].erf(); },
          [&](const op::Sqrt&) { return in[0].sqrt(); },
          [&](const op::Add&) { return in[0] + in[1]; },
          [&](const op::Subtract&) { return in[0] - in[1]; },
          [&](const op::Multiply&) { return in[0] * in[1]; },
          [&](const op::Divide&) { return in[0] / in[1]; },
          [&](const op::FakeQuantize& o) { return ops::fake_quantize(o, in[0], in[1], in[2]); },
          [&](const op::DynamicFakeQuantize&) { return dynamic_fake_quantize(in[0]); }},
      op);
}

std::vector<Tensor> execute(const Graph& graph, const std::vector<Tensor>& inputs,
                            const TensorCallback& seen) {
  TORCH_CHECK(inputs.size() == graph.inputs.size(), "the graph has ", graph.inputs.size(),
              " inputs, got ", inputs.size());
  std::vector<Tensor> values(graph.tensors.size());
  for (size_t i = 0; i < values.size(); ++i) values[i] = graph.tensors[i].value;
  for (size_t i = 0; i < inputs.size(); ++i) values[graph.inputs[i]] = inputs[i];
  for (const auto& node : graph.nodes) {
    Inputs in;
    for (const auto id : node.inputs) in.push_back(values[id]);
    values[node.output] = execute(node.op, in);
    if (seen) seen(node, values[node.output]);
  }
  std::vector<Tensor> outputs;
  for (const auto id : graph.outputs) outputs.push_back(values[id]);
  return outputs;
}

}  // namespace plateforge
