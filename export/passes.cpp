#include "export/passes.h"

#include <algorithm>
#include <optional>

#include "models/graph/execute.h"

namespace plateforge {
namespace {

using torch::Tensor;

// --- BatchNorm
// ------------------------------------------------------------------------------------

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

// --- portable spellings
// ---------------------------------------------------------------------------

// The graph with nodes inserted: rewriting passes append to `nodes` in order.
class Rewriter {
 public:
  explicit Rewriter(Graph& graph) : graph_(graph), old_(std::move(graph.nodes)) {
    graph_.nodes.clear();
  }
  const std::vector<Node>& old_nodes() const { return old_; }
  void keep(const Node& node) { graph_.nodes.push_back(node); }
  TensorId add(Op op, const std::string& name, std::vector<TensorId> inputs, Shape shape) {
    return graph_.add_node(std::move(op), name, std::move(inputs), std::move(shape));
  }
  // The last node added computes `tensor` from now on, under its name.
  void rename_last(TensorId tensor) {
    graph_.nodes.back().output = tensor;
    graph_.nodes.back().name = graph_.tensor(tensor).name;
  }

 private:
  Graph& graph_;
  std::vector<Node> old_;
};

// [N, C, H, W] with a known C*H*W above 1 as [N, k, rows, columns].
std::optional<Shape> multi_channel_view(const Shape& shape) {
  if (shape.size() != 4 || shape[1] < 0 || shape[2] < 0 || shape[3] < 0) return std::nullopt;
  const auto count = shape[1] * shape[2] * shape[3];
  if (count < 2) return std::nullopt;
  int64_t k = 2;
  while (count % k) ++k;
  const auto rest = count / k;
  const auto columns = rest % shape[3] == 0 ? shape[3] : 1;
  return Shape{shape[0], k, rest / columns, columns};
}

// One number per sample. With a single sample that is also the mean over everything.
bool is_sample_mean(const Graph& graph, const Node& node) {
  const auto* mean = node.as<op::Mean>();
  if (!mean || graph.shape(node.inputs[0]).size() != 4) return false;
  const auto batch = graph.shape(node.inputs[0])[0];
  return (mean->keep_axes && mean->axes == Shape{1, 2, 3}) ||
         (batch == 1 && mean->axes == Shape{0, 1, 2, 3});
}

// x / mean(y) or x * mean(y), x of the shape of y: where the mean is read by nothing else.
struct ScaledByMean {
  size_t mean, scaling;  // indices of nodes
};

std::optional<ScaledByMean> match_scaling(const Graph& graph, size_t index) {
  const auto& mean = graph.nodes[index];
  if (!is_sample_mean(graph, mean) || graph.is_output(mean.output)) return std::nullopt;
  const auto readers = graph.readers(mean.output);
  if (readers.size() != 1) return std::nullopt;
  const auto& scaling = graph.nodes[readers[0]];
  const bool scales = scaling.as<op::Divide>() || scaling.as<op::Multiply>();
  const auto& y = graph.shape(mean.inputs[0]);
  const bool fits = scales && scaling.inputs[1] == mean.output &&
                    graph.shape(scaling.inputs[0]) == y && multi_channel_view(y);
  return fits ? std::optional(ScaledByMean{index, readers[0]}) : std::nullopt;
}

// mean over C, H, W of y as [N, k, 1, 1], k times the same number
TensorId spread_mean(Graph& graph, Rewriter& rewriter, const Node& mean, const Shape& view) {
  const auto k = view[1];
  const auto viewed = rewriter.add(op::Reshape{view}, mean.name + ".view", {mean.inputs[0]}, view);
  const Shape column{view[0], k, 1, 1};
  const auto parts = rewriter.add(op::Mean{{2, 3}, true}, mean.name + ".parts", {viewed}, column);
  const auto weight =
      graph.add_literal(mean.name + ".weight",
                        torch::full({k, k, 1, 1}, 1.0 / static_cast<double>(k), torch::kFloat));
  return rewriter.add(op::Conv{{1, 1}, {0, 0}, {1, 1}, 1}, mean.name + ".mix", {parts, weight},
                      column);
}

void spell_scaling_by_mean(Graph& graph) {
  std::vector<std::optional<ScaledByMean>> at_mean, at_scaling(graph.nodes.size());
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    at_mean.push_back(match_scaling(graph, i));
    if (at_mean[i]) at_scaling[at_mean[i]->scaling] = at_mean[i];
  }
  std::vector<TensorId> spread(graph.nodes.size());
  Rewriter rewriter(graph);
  for (size_t i = 0; i < rewriter.old_nodes().size(); ++i) {
    const auto node = rewriter.old_nodes()[i];
    if (at_mean[i]) {
      spread[i] =
          spread_mean(graph, rewriter, node, *multi_channel_view(graph.shape(node.inputs[0])));
    } else if (at_scaling[i]) {
      const auto shape = graph.shape(node.output);
      const auto view = *multi_channel_view(shape);
      const auto x = rewriter.add(op::Reshape{view}, node.name + ".view", {node.inputs[0]}, view);
      const auto scaled =
          rewriter.add(node.op, node.name + ".scaled", {x, spread[at_scaling[i]->mean]}, view);
      rewriter.add(op::Reshape{shape}, node.name, {scaled}, shape);
      rewriter.rename_last(node.output);
    } else {
      rewriter.keep(node);
    }
  }
  graph.remove_dead();
}

void spell_column_means(Graph& graph) {
  Rewriter rewriter(graph);
  for (const auto& node : rewriter.old_nodes()) {
    const auto* mean = node.as<op::Mean>();
    const auto shape = graph.shape(node.inputs[0]);
    if (!mean || shape.size() != 4 || mean->axes != Shape{2} || shape[2] < 0) {
      rewriter.keep(node);
      continue;
    }
    const op::AveragePool pool{{shape[2], 1}, {1, 1}, {0, 0}, true};
    const Shape pooled{shape[0], shape[1], 1, shape[3]};
    const auto averaged = rewriter.add(pool, node.name + ".pool", {node.inputs[0]}, pooled);
    if (!mean->keep_axes) {
      const auto flat = graph.shape(node.output);
      rewriter.add(op::Reshape{flat}, node.name, {averaged}, flat);
    }
    rewriter.rename_last(node.output);
  }
  graph.remove_dead();
}

// clamp(x, low, high) = low + relu(x - low) - relu(x - high)
void spell_clamps(Graph& graph) {
  Rewriter rewriter(graph);
  for (const auto& node : rewriter.old_nodes()) {
    const auto* clamp = node.as<op::Clamp>();
    if (!clamp) {
      rewriter.keep(node);
      continue;
    }
    const auto shape = graph.shape(node.output);
    const auto shifted = [&](TensorId x, double by, const char* suffix) {
      const auto amount = graph.add_literal(node.name + suffix, torch::tensor(by, torch::kFloat));
      return rewriter.add(op::Add{}, node.name + suffix, {x, amount}, shape);
    };
    const auto above = [&](double bound, const char* suffix) {
      const auto x = bound == 0 ? node.inputs[0] : shifted(node.inputs[0], -bound, suffix);
      return rewriter.add(op::Relu{}, node.name + suffix, {x}, shape);
    };
    const auto over_low = above(clamp->low, ".low"), over_high = above(clamp->high, ".high");
    const auto range =
        rewriter.add(op::Subtract{}, node.name + ".range", {over_low, over_high}, shape);
    if (clamp->low != 0) shifted(range, clamp->low, ".shift");
    rewriter.rename_last(node.output);
  }
  graph.remove_dead();
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
  for (const auto& node : graph.nodes) {
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

void spell_portably(Graph& graph) {
  spell_scaling_by_mean(graph);
  spell_column_means(graph);
  spell_clamps(graph);
}

void prepare_for_export(Graph& graph) {
  remove_identities(graph);
  fold_constants(graph);
  fold_batch_norm(graph);
  spell_portably(graph);
}

}  // namespace plateforge
