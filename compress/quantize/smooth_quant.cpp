#include "compress/quantize/smooth_quant.h"

#include <torch/utils.h>

#include <algorithm>
#include <map>
#include <optional>

#include "compress/layers.h"
#include "models/graph/execute.h"

namespace plateforge {
namespace {

using torch::Tensor;

constexpr double kSmallest = 1e-5;  // of a range: a channel that is always zero stays as it is

// x * weight + bias with a constant per channel of the last axis: the end of a LayerNorm.
struct Affine {
  std::string name;
  TensorId output = 0;
  std::vector<TensorId> constants;  // weight and bias, [C]
  std::vector<size_t> readers;      // nodes
};

bool is_only_read_by(const Graph& graph, TensorId id, size_t readers) {
  return graph.readers(id).size() == readers && !graph.is_output(id);
}

// The [C] constant that a node combines its first input with, when nothing else reads it.
std::optional<TensorId> channel_constant(const Graph& graph, const Node& node) {
  if (node.inputs.size() != 2) return std::nullopt;
  const auto id = node.inputs[1];
  const auto& shape = graph.shape(node.inputs[0]);
  const bool fits = graph.tensor(id).is_constant() && shape.size() >= 2 &&
                    graph.shape(id) == Shape{shape.back()} && is_only_read_by(graph, id, 1);
  return fits ? std::optional(id) : std::nullopt;
}

bool is_product(const Graph& graph, const Node& node, TensorId x) {
  if (!node.as<op::Linear>() && !node.as<op::MatMul>()) return false;
  const auto weight = node.inputs[1];
  return node.inputs[0] == x && graph.tensor(weight).is_constant() &&
         graph.shape(weight).size() == 2 && is_only_read_by(graph, weight, 1);
}

std::optional<Affine> match(const Graph& graph, const Node& node) {
  if (!node.as<op::Multiply>()) return std::nullopt;
  const auto weight = channel_constant(graph, node);
  if (!weight) return std::nullopt;
  Affine affine{node.name, node.output, {*weight}, {}};
  if (is_only_read_by(graph, node.output, 1)) {
    const auto& next = graph.nodes[graph.readers(node.output)[0]];
    const auto bias = next.as<op::Add>() && next.inputs[0] == node.output
                          ? channel_constant(graph, next)
                          : std::nullopt;
    if (bias) affine.output = next.output, affine.constants.push_back(*bias);
  }
  affine.readers = graph.readers(affine.output);
  const bool only_products = !affine.readers.empty() && !graph.is_output(affine.output) &&
                             std::ranges::all_of(affine.readers, [&](size_t reader) {
                               return is_product(graph, graph.nodes[reader], affine.output);
                             });
  return only_products ? std::optional(affine) : std::nullopt;
}

// Axis of a reader's weight along which the channels of its input lie.
int64_t input_axis(const Node& reader) { return reader.as<op::Linear>() ? 1 : 0; }

Tensor largest_weights(const Graph& graph, const Affine& affine) {
  Tensor largest;
  for (const auto reader : affine.readers) {
    const auto& node = graph.nodes[reader];
    const auto own = graph.tensor(node.inputs[1]).value.abs().amax(1 - input_axis(node));
    largest = largest.defined() ? torch::max(largest, own) : own;
  }
  return largest.to(torch::kDouble);
}

std::map<TensorId, Tensor> largest_values(const Graph& graph, const std::vector<Affine>& affines,
                                          const std::vector<Tensor>& batches) {
  std::map<TensorId, Tensor> largest;
  for (const auto& affine : affines) largest[affine.output] = Tensor();
  for (const auto& images : batches) {
    execute(graph, {images}, [&](const Node& node, const Tensor& x) {
      const auto found = largest.find(node.output);
      if (found == largest.end()) return;
      const auto seen = x.abs().flatten(0, -2).amax(0).to(torch::kDouble);
      found->second = found->second.defined() ? torch::max(found->second, seen) : seen;
    });
  }
  return largest;
}

}  // namespace

std::vector<std::string> smooth_norms(Graph& graph, double strength,
                                      const std::vector<Tensor>& batches) {
  const torch::NoGradGuard no_grad;
  std::vector<Affine> affines;
  for (const auto& node : graph.nodes)
    if (auto affine = match(graph, node)) affines.push_back(std::move(*affine));
  if (affines.empty()) return {};
  const auto values = largest_values(graph, affines, batches);
  std::vector<std::string> names;
  for (const auto& affine : affines) {
    const auto x = values.at(affine.output), weights = largest_weights(graph, affine);
    const auto usable = (x > kSmallest) & (weights > kSmallest);
    const auto factors =
        torch::where(usable, x.pow(strength) / weights.pow(1 - strength), torch::ones_like(x));
    for (const auto constant : affine.constants) scale_constant(graph, constant, 1 / factors);
    for (const auto reader : affine.readers) {
      const auto& node = graph.nodes[reader];
      const auto spread = input_axis(node) == 1 ? factors : factors.unsqueeze(1);
      scale_constant(graph, node.inputs[1], spread);
    }
    names.push_back(affine.name);
  }
  return names;
}

}  // namespace plateforge
