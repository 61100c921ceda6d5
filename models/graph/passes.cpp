#include "models/graph/passes.h"

#include <torch/utils.h>

#include <algorithm>

#include "models/graph/execute.h"

namespace plateforge {
namespace {

using torch::Tensor;

// y = (x - mean) * weight / sqrt(variance + epsilon) + bias as y = x * scale + shift, per channel.
struct Affine {
  Tensor scale, shift;
};

Affine affine(const Graph& graph, const Node& norm, double epsilon) {
  const auto value = [&](size_t i) {
    return graph.tensor(norm.inputs[i]).value.to(torch::kDouble);
  };
  const auto scale = value(1) / (value(4) + epsilon).sqrt();
  return {scale, value(2) - value(3) * scale};
}

// Gives a node's constant input another value. A tensor that other nodes read too is left to them.
void set_constant(Graph& graph, Node& node, size_t input, const Tensor& value) {
  const auto id = node.inputs[input];
  if (graph.readers(id).size() == 1) {
    graph.tensors[id].value = value.to(torch::kFloat);
  } else {
    const auto [name, origin] = std::pair(graph.tensor(id).name, graph.tensor(id).origin);
    node.inputs[input] =
        graph.add_tensor(name, value.sizes().vec(), origin, value.to(torch::kFloat));
  }
}

bool takes_affine(const Graph& graph, const Node& node) {
  return (node.as<op::Conv>() || node.as<op::Linear>()) &&
         graph.tensor(node.inputs[1]).is_constant() &&
         (node.inputs.size() < 3 || graph.tensor(node.inputs[2]).is_constant()) &&
         graph.readers(node.output).size() == 1 && !graph.is_output(node.output);
}

void absorb(Graph& graph, Node& node, const Affine& norm) {
  const auto weight = graph.tensor(node.inputs[1]).value.to(torch::kDouble);
  auto per_output = Shape(static_cast<size_t>(weight.dim()), 1);
  per_output[0] = -1;
  if (node.inputs.size() < 3) {
    node.inputs.push_back(graph.add_tensor(node.name + ".bias", norm.shift.sizes().vec(),
                                           Origin::parameter, norm.shift.to(torch::kFloat)));
  } else {
    const auto bias = graph.tensor(node.inputs[2]).value.to(torch::kDouble);
    set_constant(graph, node, 2, bias * norm.scale + norm.shift);
  }
  set_constant(graph, node, 1, weight * norm.scale.reshape(per_output));
}

}  // namespace

void remove_identities(Graph& graph) {
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const auto node = graph.nodes[i];
    if (!node.as<op::Identity>()) continue;
    const bool input_to_output = graph.is_output(node.output) && !graph.producer(node.inputs[0]);
    if (!input_to_output) graph.replace_uses(node.output, node.inputs[0]);
  }
  graph.remove_dead();
}

void fold_constants(Graph& graph) {
  const torch::NoGradGuard no_grad;
  for (const auto& node : graph.nodes) {
    if (node.as<op::FakeQuantize>()) continue;
    std::vector<Tensor> values;
    for (const auto id : node.inputs) values.push_back(graph.tensor(id).value);
    const bool constant =
        std::all_of(values.begin(), values.end(), [](const Tensor& v) { return v.defined(); });
    if (!constant || graph.is_output(node.output)) continue;
    auto& folded = graph.tensors[node.output];
    folded.value = execute(node.op, values).contiguous();
    folded.origin = Origin::literal;
  }
  std::erase_if(graph.nodes,
                [&](const Node& node) { return graph.tensor(node.output).is_constant(); });
  graph.remove_dead();
}

void fold_batch_norm(Graph& graph) {
  const torch::NoGradGuard no_grad;
  for (auto& node : graph.nodes) {
    const auto* norm = node.as<op::BatchNorm>();
    const auto* source = norm ? graph.producer(node.inputs[0]) : nullptr;
    if (!source || !takes_affine(graph, *source)) continue;
    auto& absorber = graph.nodes[static_cast<size_t>(source - graph.nodes.data())];
    absorb(graph, absorber, affine(graph, node, norm->epsilon));
    graph.replace_uses(node.output, absorber.output);
  }
  graph.remove_dead();
}

void join_biases(Graph& graph) {
  const auto lacks_bias = [&](const Node* node) {
    return node && node->as<op::Linear>() && node->inputs.size() == 2 && takes_affine(graph, *node);
  };
  for (const auto& node : graph.nodes) {
    if (!node.as<op::Add>()) continue;
    for (const size_t side : {0, 1}) {
      const auto* linear = graph.producer(node.inputs[side]);
      const auto& bias = graph.tensor(node.inputs[1 - side]);
      if (!lacks_bias(linear) || !bias.is_constant() ||
          bias.shape != Shape{graph.shape(linear->inputs[1])[0]})
        continue;
      auto& joined = graph.nodes[static_cast<size_t>(linear - graph.nodes.data())];
      joined.inputs.push_back(node.inputs[1 - side]);
      graph.replace_uses(node.output, joined.output);
    }
  }
  graph.remove_dead();
}

void simplify(Graph& graph) {
  remove_identities(graph);
  fold_constants(graph);
  join_biases(graph);
  fold_batch_norm(graph);
  fold_constant_queries(graph);
  trim_linears(graph);
}

}  // namespace plateforge
