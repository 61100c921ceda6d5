#include "compress/quantize/insert_quantizers.h"

#include <algorithm>

#include "models/graph/rewriter.h"

namespace plateforge {
namespace {

using torch::Tensor;

class Inserter {
 public:
  Inserter(Graph& graph, const Placement& placement)
      : graph_(graph), placement_(placement), rewriter_(graph) {}

  void add_activations(const std::vector<QuantizerScale>& scales) {
    TORCH_CHECK(scales.size() == placement_.activations.size(), "one scale per quantiser");
    for (size_t i = 0; i < scales.size(); ++i) {
      const auto& group = placement_.activations[i];
      const auto name = graph_.tensor(group.tensors.front()).name;
      const auto [scale, zero_point] =
          add_constants(name, torch::tensor(scales[i].scale, torch::kFloat),
                        torch::tensor(scales[i].zero_point, torch::kInt));
      for (const auto tensor : group.tensors) {
        quantizers_[tensor] = {op::FakeQuantize{group.type.low, group.type.high, -1},
                               {tensor, scale, zero_point}};
      }
    }
    for (const auto tensor : placement_.dynamic) {
      quantizers_[tensor] = {op::DynamicFakeQuantize{}, {tensor}};
    }
  }

  void add_weights(const std::vector<Tensor>& scales) {
    TORCH_CHECK(scales.size() == placement_.weights.size(), "one tensor of scales per weight");
    for (size_t i = 0; i < scales.size(); ++i) {
      const auto& weight = placement_.weights[i];
      const auto name = graph_.tensor(weight.weight).name;
      const auto [scale, zero_point] =
          add_constants(name, scales[i], torch::zeros({scales[i].size(0)}, torch::kInt));
      quantizers_[weight.weight] = {
          op::FakeQuantize{weight.type.low, weight.type.high, weight.axis},
          {weight.weight, scale, zero_point}};
    }
  }

  void rewrite() {
    for (const auto id : graph_.inputs) quantize(id);
    for (auto node : rewriter_.old_nodes()) {
      for (auto& input : node.inputs) {
        if (graph_.tensor(input).is_constant()) quantize(input);
        input = read_by(node, input);
      }
      rewriter_.keep(node);
      quantize(node.output);
    }
    for (auto& output : graph_.outputs) {
      if (quantized_.contains(output) && !placement_.readers.contains(output)) {
        output = quantized_.at(output);
      }
    }
  }

 private:
  struct Quantizer {
    Op op;
    std::vector<TensorId> inputs;
  };

  std::pair<TensorId, TensorId> add_constants(const std::string& name, const Tensor& scale,
                                              const Tensor& zero_point) {
    const auto add = [&](const char* suffix, const Tensor& value) {
      return graph_.add_tensor(name + suffix, value.sizes().vec(), Origin::buffer, value);
    };
    return {add("_scale", scale), add("_zero_point", zero_point)};
  }

  // Adds the tensor's quantiser, once.
  void quantize(TensorId tensor) {
    const auto found = quantizers_.find(tensor);
    if (found == quantizers_.end() || quantized_.contains(tensor)) return;
    quantized_[tensor] = rewriter_.add(found->second.op, graph_.tensor(tensor).name + "_quantized",
                                       found->second.inputs, graph_.shape(tensor));
  }

  TensorId read_by(const Node& node, TensorId tensor) const {
    const auto quantized = quantized_.find(tensor);
    if (quantized == quantized_.end()) return tensor;
    const auto readers = placement_.readers.find(tensor);
    const bool reads = readers == placement_.readers.end() || readers->second.contains(node.name);
    return reads ? quantized->second : tensor;
  }

  Graph& graph_;
  const Placement& placement_;
  Rewriter rewriter_;
  std::map<TensorId, Quantizer> quantizers_;
  std::map<TensorId, TensorId> quantized_;
};

}  // namespace

Graph insert_quantizers(Graph graph, const Placement& placement,
                        const std::vector<QuantizerScale>& activations,
                        const std::vector<Tensor>& weights) {
  Inserter inserter(graph, placement);
  inserter.add_activations(activations);
  inserter.add_weights(weights);
  inserter.rewrite();
  return graph;
}

}  // namespace plateforge
