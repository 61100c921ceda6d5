#include <torch/types.h>

#include <optional>

#include "models/graph/passes.h"
#include "models/graph/rewriter.h"

namespace plateforge {
namespace {

using torch::Tensor;

// N plates, T tokens of a memory, H heads of D channels, S queries.

bool has_constant_weights(const Graph& graph, const Node& linear) {
  for (size_t i = 1; i < linear.inputs.size(); ++i)
    if (!graph.tensor(linear.inputs[i]).is_constant()) return false;
  return true;
}

const Node* permuted_from(const Graph& graph, TensorId id, const Shape& order) {
  const auto* node = graph.producer(id);
  const auto* permute = node ? node->as<op::Permute>() : nullptr;
  return permute && permute->order == order ? node : nullptr;
}

// Scores of constant queries: matmul(queries [1, H, S, D], keys [N, H, D, T]), the keys being rows
// first .. first + H D of what a linear layer makes of the memory.
struct ConstantQueries {
  const Node* linear;
  int64_t first;
};

std::optional<ConstantQueries> match_constant_queries(const Graph& graph, const Node& node) {
  if (!node.as<op::MatMul>() || !graph.tensor(node.inputs[0]).is_constant()) return std::nullopt;
  const auto& queries = graph.shape(node.inputs[0]);
  const auto* turned = permuted_from(graph, node.inputs[1], {0, 1, 3, 2});
  const auto* heads = turned ? permuted_from(graph, turned->inputs[0], {0, 2, 1, 3}) : nullptr;
  const auto* view = heads ? graph.producer(heads->inputs[0]) : nullptr;
  if (!view || !view->as<op::Reshape>() || queries.size() != 4 || queries[0] != 1)
    return std::nullopt;
  const auto& split = graph.shape(view->output);  // [N, T, H, D]
  const auto* source = graph.producer(view->inputs[0]);
  const auto* slice = source ? source->as<op::Slice>() : nullptr;
  const auto* linear = slice ? graph.producer(source->inputs[0]) : source;
  if (!linear || !linear->as<op::Linear>() || !has_constant_weights(graph, *linear))
    return std::nullopt;
  const auto channels = queries[1] * queries[3];
  const bool fits =
      split.size() == 4 && split[2] == queries[1] && split[3] == queries[3] &&
      graph.shape(linear->output).size() == 3 &&
      (!slice || (slice->axis == 2 && slice->step == 1 && slice->stop - slice->start == channels));
  return fits ? std::optional(ConstantQueries{linear, slice ? slice->start : 0}) : std::nullopt;
}

// queries (W x + b) = (queries W) x + queries b, per head.
void add_scores(Graph& graph, Rewriter& rewriter, const Node& node, const ConstantQueries& match) {
  const auto queries = graph.tensor(node.inputs[0]).value.to(torch::kDouble)[0];  // [H, S, D]
  const auto heads = queries.size(0), count = queries.size(1), width = queries.size(2);
  const auto own = [&](size_t input) {
    return graph.tensor(match.linear->inputs[input])
        .value.to(torch::kDouble)
        .slice(0, match.first, match.first + heads * width);
  };
  const auto weight = torch::matmul(queries, own(1).reshape({heads, width, -1})).flatten(0, 1);
  std::vector<TensorId> inputs = {
      match.linear->inputs[0],
      graph.add_tensor(node.name + ".weight", weight.sizes().vec(), Origin::parameter,
                       weight.to(torch::kFloat).contiguous())};
  if (match.linear->inputs.size() > 2) {
    const auto bias = torch::matmul(queries, own(2).reshape({heads, width, 1})).flatten();
    inputs.push_back(graph.add_tensor(node.name + ".bias", bias.sizes().vec(), Origin::parameter,
                                      bias.to(torch::kFloat).contiguous()));
  }
  const auto memory = graph.shape(match.linear->output);  // [N, T, ...]
  const auto flat = rewriter.add(op::Linear{}, node.name + ".scores", inputs,
                                 {memory[0], memory[1], heads * count});
  const Shape split{memory[0], memory[1], heads, count};
  const auto view = rewriter.add(op::Reshape{split}, node.name + ".heads", {flat}, split);
  rewriter.add(op::Permute{{0, 2, 3, 1}}, node.name, {view}, graph.shape(node.output));
  rewriter.rename_last(node.output);
}

}  // namespace

void fold_constant_queries(Graph& graph) {
  const torch::NoGradGuard no_grad;
  const auto whole = graph;  // matches point into it
  Rewriter rewriter(graph);
  for (const auto& node : whole.nodes) {
    if (const auto match = match_constant_queries(whole, node))
      add_scores(graph, rewriter, node, *match);
    else
      rewriter.keep(node);
  }
  graph.remove_dead();
}

void trim_linears(Graph& graph) {
  const torch::NoGradGuard no_grad;
  for (auto& node : graph.nodes) {
    if (!node.as<op::Linear>() || !has_constant_weights(graph, node) ||
        graph.is_output(node.output))
      continue;
    const auto readers = graph.readers(node.output);
    const auto* slice = readers.size() == 1 ? graph.nodes[readers[0]].as<op::Slice>() : nullptr;
    auto shape = graph.shape(node.output);
    if (!slice || slice->axis + 1 != static_cast<int64_t>(shape.size()) || slice->step != 1)
      continue;
    for (size_t i = 1; i < node.inputs.size(); ++i) {
      const auto given = graph.tensor(node.inputs[i]);
      const auto kept = given.value.slice(0, slice->start, slice->stop).contiguous();
      node.inputs[i] =
          graph.add_tensor(given.name + "_kept", kept.sizes().vec(), given.origin, kept);
    }
    shape.back() = slice->stop - slice->start;
    graph.tensors[node.output].shape = shape;
    graph.replace_uses(graph.nodes[readers[0]].output, node.output);
  }
  graph.remove_dead();
}

}  // namespace plateforge
