#include "export/norm_folding.h"

#include <torch/types.h>

#include <algorithm>

namespace plateforge {
namespace {

using torch::Tensor;

// The constant [C] that a node applies along the last axis; undefined when it does not.
Tensor along_last_axis(const Graph& graph, const Node& node) {
  const auto& value = graph.tensor(node.inputs[1]).value;
  const auto& shape = graph.shape(node.output);
  const bool fits = value.defined() && value.dim() == 1 && !shape.empty() &&
                    value.size(0) == shape.back() && graph.shape(node.inputs[0]) == shape;
  return fits ? value.to(torch::kDouble) : Tensor();
}

bool all_linear(const Graph& graph, TensorId tensor) {
  if (graph.is_output(tensor)) return false;
  const auto readers = graph.readers(tensor);
  return !readers.empty() && std::all_of(readers.begin(), readers.end(), [&](size_t i) {
    const auto& node = graph.nodes[i];
    return node.as<op::Linear>() && node.inputs[0] == tensor &&
           graph.tensor(node.inputs[1]).is_constant() &&
           (node.inputs.size() < 3 || graph.tensor(node.inputs[2]).is_constant());
  });
}

// W (w n + b) + c = (W w) n + (W b + c)
void absorb(Graph& graph, Node& linear, const Tensor& scale, const Tensor& shift, TensorId source) {
  const auto weight = graph.tensor(linear.inputs[1]).value.to(torch::kDouble);
  auto bias = torch::mv(weight, shift);
  if (linear.inputs.size() > 2) bias += graph.tensor(linear.inputs[2]).value.to(torch::kDouble);
  const auto add = [&](const char* suffix, const Tensor& value) {
    return graph.add_tensor(linear.name + suffix, value.sizes().vec(), Origin::parameter,
                            value.to(torch::kFloat).contiguous());
  };
  linear.inputs = {source, add(".weight", weight * scale), add(".bias", bias)};
}

}  // namespace

void fold_norm_affines(Graph& graph) {
  const torch::NoGradGuard no_grad;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const auto node = graph.nodes[i];
    if (!node.as<op::Add>() || !all_linear(graph, node.output)) continue;
    const auto* multiply = graph.producer(node.inputs[0]);
    if (!multiply || !multiply->as<op::Multiply>()) continue;
    const auto scale = along_last_axis(graph, *multiply), shift = along_last_axis(graph, node);
    if (!scale.defined() || !shift.defined()) continue;
    const auto source = multiply->inputs[0];
    for (const auto reader : graph.readers(node.output))
      absorb(graph, graph.nodes[reader], scale, shift, source);
  }
  graph.remove_dead();
}

}  // namespace plateforge
