#include "export/portable.h"

#include <optional>

#include "models/graph/rewriter.h"

namespace plateforge {
namespace {

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

// The mean over the channels of tokens [N, T, D] as their product with D times 1 / D.
void spell_token_means(Graph& graph) {
  for (auto& node : graph.nodes) {
    const auto* mean = node.as<op::Mean>();
    const auto& shape = graph.shape(node.inputs[0]);
    if (!mean || !mean->keep_axes || shape.size() != 3 || mean->axes != Shape{2}) continue;
    const auto channels = shape[2];
    node.op = op::Linear{};
    node.inputs.push_back(graph.add_literal(
        node.name + ".weight",
        torch::full({1, channels}, 1.0 / static_cast<double>(channels), torch::kFloat)));
  }
}

// A factor per channel of tokens [N, T, D] as a product with a diagonal matrix.
void spell_token_factors(Graph& graph) {
  for (auto& node : graph.nodes) {
    const auto factor = graph.tensor(node.inputs.back()).value;
    if (!node.as<op::Multiply>() || !factor.defined() || factor.dim() != 1 ||
        graph.shape(node.inputs[0]).size() != 3 || factor.numel() < 2)
      continue;
    node.op = op::Linear{};
    node.inputs[1] = graph.add_literal(node.name + ".diagonal", factor.diag());
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

void spell_portably(Graph& graph) {
  spell_scaling_by_mean(graph);
  spell_column_means(graph);
  spell_token_means(graph);
  spell_token_factors(graph);
  spell_clamps(graph);
}

}  // namespace plateforge
