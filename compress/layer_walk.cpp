#include "compress/layer_walk.h"

#include <algorithm>

#include "compress/layers.h"
#include "models/graph/execute.h"

namespace plateforge {
namespace {

using torch::Tensor;
using Values = std::vector<Tensor>;  // one per batch; a single one for constants

// A graph executed over all batches at once, node by node; what nobody reads any more is freed.
class Stepper {
 public:
  Stepper(const Graph& graph, const std::vector<Tensor>& batches)
      : graph_(graph), values_(graph.tensors.size()), last_reader_(graph.tensors.size(), 0) {
    for (TensorId id = 0; id < graph.tensors.size(); ++id) {
      if (graph.tensor(id).is_constant()) values_[id] = {graph.tensor(id).value};
    }
    values_[graph.inputs.at(0)] = batches;
    for (size_t i = 0; i < graph.nodes.size(); ++i) {
      for (const auto id : graph.nodes[i].inputs) last_reader_[id] = i;
    }
  }

  const Node& node() const { return graph_.nodes[position_]; }
  bool done() const { return position_ == graph_.nodes.size(); }
  Values& values(TensorId id) { return values_[id]; }

  void execute_node() {
    const auto& node = graph_.nodes[position_];
    size_t count = 1;
    for (const auto id : node.inputs) count = std::max(count, values_[id].size());
    auto& results = values_[node.output];
    for (size_t batch = 0; batch < count; ++batch) {
      Values inputs;
      for (const auto id : node.inputs) {
        inputs.push_back(values_[id].size() == 1 ? values_[id][0] : values_[id][batch]);
      }
      results.push_back(execute(node.op, inputs));
    }
  }

  // On to the next node. The inputs of this one must not be asked for any more.
  void advance() {
    for (const auto id : graph_.nodes[position_].inputs) {
      if (last_reader_[id] == position_) values_[id].clear();
    }
    ++position_;
  }

 private:
  const Graph& graph_;
  std::vector<Values> values_;
  std::vector<size_t> last_reader_;
  size_t position_ = 0;
};

void visit_layer(Graph& graph, Stepper& quantized, Stepper& exact, const LayerVisitor& visit) {
  const auto& layer = quantized.node();
  const bool has_bias = layer.inputs.size() > 2;
  auto& weight = quantized.values(layer.inputs[1])[0];
  LayerStep step{.layer = layer,
                 .inputs = quantized.values(layer.inputs[0]),
                 .exact_inputs = exact.values(exact.node().inputs[0]),
                 .exact_outputs = exact.values(exact.node().output),
                 .weight = weight,
                 .bias = has_bias ? graph.tensor(layer.inputs[2]).value : Tensor(),
                 .exact_weight = exact.values(exact.node().inputs[1])[0]};
  visit(step);
  if (!step.weight.is_same(weight)) {
    weight = step.weight;
    graph.tensors[stored_weight(graph, layer.inputs[1])].value = step.weight;
  }
  if (has_bias && !step.bias.is_same(graph.tensor(layer.inputs[2]).value)) {
    quantized.values(layer.inputs[2])[0] = step.bias;
    graph.tensors[layer.inputs[2]].value = step.bias;
  }
}

bool has_quantized_weight(const Graph& graph, const Node& node) {
  const bool is_layer = node.as<op::Conv>() || node.as<op::Linear>() || node.as<op::MatMul>();
  const auto* quantizer = is_layer ? graph.producer(node.inputs[1]) : nullptr;
  return quantizer && quantizer->as<op::FakeQuantize>() &&
         graph.tensor(quantizer->inputs[0]).is_constant();
}

}  // namespace

Tensor LayerStep::run(const Tensor& input, const Tensor& with_weight,
                      const Tensor& with_bias) const {
  std::vector<Tensor> arguments{input, with_weight};
  if (with_bias.defined()) arguments.push_back(with_bias);
  return execute(layer.op, arguments);
}

void walk_layers(const Graph& exact, Graph& quantized, const std::vector<Tensor>& batches,
                 const LayerVisitor& visit) {
  Stepper side(quantized, batches), exact_side(exact, batches);
  for (; !side.done(); side.advance()) {
    const bool shared = !exact_side.done() && exact_side.node().name == side.node().name;
    if (shared) exact_side.execute_node();
    if (shared && has_quantized_weight(quantized, side.node())) {
      visit_layer(quantized, side, exact_side, visit);
    }
    side.execute_node();
    if (shared) exact_side.advance();
  }
  TORCH_CHECK(exact_side.done(), "the quantised graph lacks ", exact_side.node().name);
}

}  // namespace plateforge
