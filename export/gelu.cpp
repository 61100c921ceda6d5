#include "export/gelu.h"

#include <algorithm>
#include <map>
#include <optional>

#include "configs/error.h"
#include "models/graph/gelu.h"
#include "models/graph/rewriter.h"

namespace plateforge {
namespace {

const Node* made_by(const Graph& graph, TensorId id, bool (*is)(const Node&)) {
  const auto* node = graph.producer(id);
  return node && is(*node) ? node : nullptr;
}

template <class T>
bool is_a(const Node& node) {
  return node.as<T>() != nullptr;
}

// The x of x (erf(x / sqrt 2) + 1) / 2, as the trace spells it, when the node ends one.
std::optional<TensorId> matched_gelu(const Graph& graph, const Node& node) {
  if (!node.as<op::Multiply>()) return std::nullopt;
  const auto* product = made_by(graph, node.inputs[0], is_a<op::Multiply>);
  const auto* gate = product ? made_by(graph, product->inputs[1], is_a<op::Add>) : nullptr;
  const auto* erf = gate ? made_by(graph, gate->inputs[0], is_a<op::Erf>) : nullptr;
  const auto* scaled = erf ? made_by(graph, erf->inputs[0], is_a<op::Divide>) : nullptr;
  const bool same_x = scaled && scaled->inputs[0] == product->inputs[0];
  return same_x ? std::optional(product->inputs[0]) : std::nullopt;
}

}  // namespace

std::string gelu_name(Gelu gelu) {
  return gelu == Gelu::exact ? "exact" : gelu == Gelu::tanh ? "tanh" : "sigmoid";
}

Gelu find_gelu(const std::string& name) {
  for (const auto gelu : {Gelu::exact, Gelu::tanh, Gelu::sigmoid})
    if (name == gelu_name(gelu)) return gelu;
  fail("no GELU '", name, "'; known: exact tanh sigmoid");
}

void spell_gelu(Graph& graph, Gelu gelu) {
  if (gelu == Gelu::exact) return;
  std::map<TensorId, TensorId> argument;  // by the output of the GELU
  for (const auto& node : graph.nodes)
    if (const auto x = matched_gelu(graph, node)) argument[node.output] = *x;
  Rewriter rewriter(graph);
  for (const auto& node : rewriter.old_nodes()) {
    const auto found = argument.find(node.output);
    if (found == argument.end()) {
      rewriter.keep(node);
      continue;
    }
    const auto x = found->second;
    const auto emit = [&](Op op, std::vector<TensorId> inputs) {
      return rewriter.add(std::move(op), node.name, std::move(inputs), graph.shape(x));
    };
    gelu == Gelu::tanh ? tanh_gelu(graph, x, emit) : sigmoid_gelu(graph, x, emit);
    rewriter.rename_last(node.output);
  }
  graph.remove_dead();
}

void allow_for(Gelu gelu, ParityBounds& bounds) {
  if (gelu == Gelu::exact) return;
  const double logits = gelu == Gelu::tanh ? 0.005 : 0.2;
  const double answers = gelu == Gelu::tanh ? 0.005 : 0.02;
  bounds.relative_logit_difference = std::max(bounds.relative_logit_difference, logits);
  bounds.different_texts = std::max(bounds.different_texts, answers);
  bounds.exact_match_drop = std::max(bounds.exact_match_drop, answers);
}

}  // namespace plateforge
