#include "compress/quantize/placement.h"

#include <algorithm>
#include <numeric>

#include "configs/error.h"
#include "configs/suggest.h"

namespace plateforge {
namespace {

constexpr int64_t kFewestChannels = 16;  // ModelOpt's bound for TensorRT

// Hands on values of its first input unchanged, so both sides can share a scale.
bool passes_values(const Node& node) {
  return node.as<op::MaxPool>() || node.as<op::Upsample>() || node.as<op::Slice>() ||
         node.as<op::Reshape>() || node.as<op::Permute>() || node.as<op::Identity>();
}

bool is_residual_add(const Graph& graph, const Node& node) {
  return node.as<op::Add>() && node.inputs[0] != node.inputs[1] &&
         !graph.tensor(node.inputs[0]).is_constant() &&
         !graph.tensor(node.inputs[1]).is_constant() &&
         graph.shape(node.inputs[0]) == graph.shape(node.inputs[1]);
}

bool is_wide_enough(const Graph& graph, const Node& layer) {
  const auto& weight = graph.shape(layer.inputs[1]);
  const auto* conv = layer.as<op::Conv>();
  return std::max(weight[0], weight[1] * (conv ? conv->groups : 1)) >= kFewestChannels;
}

// Decides tensor by tensor in order of computation.
class Placer {
 public:
  Placer(const Graph& graph, QuantProfile profile, const LayerPrecisions& precisions,
         const QuantizerType& weight_type)
      : graph_(graph),
        profile_(profile),
        precisions_(precisions),
        weight_type_(weight_type),
        root_(graph.tensors.size()),
        marked_(graph.tensors.size(), false),
        derived_(graph.tensors.size(), false) {
    std::iota(root_.begin(), root_.end(), TensorId{0});
  }

  Placement place() {
    for (const auto& node : graph_.nodes) {
      if (is_quantized(node)) {
        quantize(node);
      } else if (is_residual_add(graph_, node)) {
        quantize_add(node);
      } else if (node.as<op::AveragePool>()) {
        quantize_pool(node);
      }
    }
    collect_groups();
    return std::move(placement_);
  }

 private:
  bool is_quantized(const Node& node) const {
    if (!is_layer(graph_, node)) return false;
    if (profile_ == QuantProfile::int8_s8 && !is_wide_enough(graph_, node)) return false;
    return precision(node) != LayerPrecision::real;
  }
  LayerPrecision precision(const Node& layer) const {
    const auto found = precisions_.find(layer.name);
    return found == precisions_.end() ? LayerPrecision::int8 : found->second;
  }

  void quantize(const Node& layer) {
    quantize_weight(layer);
    const auto input = layer.inputs[0], output = unit_output(graph_, layer);
    switch (profile_) {
      case QuantProfile::int8_u8:
        claim(input);
        if (layer.as<op::Conv>() || feeds_layer(output)) mark(output);
        break;
      case QuantProfile::int8_s8:
        mark(input);
        placement_.readers[input].insert(layer.name);
        break;
      case QuantProfile::int8_dynamic:
        if (!placement_.readers.contains(input)) placement_.dynamic.push_back(input);
        placement_.readers[input].insert(layer.name);
        return;
      case QuantProfile::int8_weights:
        return;
    }
    if (precision(layer) == LayerPrecision::int16) wide_.insert({input, output});
    inner_.insert(input);
  }

  void quantize_weight(const Node& layer) {
    for (auto& known : placement_.weights) {
      if (known.weight != layer.inputs[1]) continue;
      known.layers.push_back(layer.name);
      return;
    }
    placement_.weights.push_back({layer.inputs[1], weight_axis(layer), weight_type_, {layer.name}});
  }

  void quantize_add(const Node& add) {
    if (profile_ == QuantProfile::int8_u8) {
      if (!reaches_mark(add.inputs[0]) && !reaches_mark(add.inputs[1])) return;
      for (const auto input : add.inputs) claim(input), inner_.insert(input);
      mark(unit_output(graph_, add));
    } else if (profile_ == QuantProfile::int8_s8) {
      const auto residual = residual_branch(add);
      if (!residual) return;
      mark(*residual);
      placement_.readers[*residual].insert(add.name);
      inner_.insert(*residual);
    }
  }

  // An average of 8-bit values that goes to 8 bits again is a depthwise convolution to runtimes.
  void quantize_pool(const Node& pool) {
    const auto input = pool.inputs[0];
    if (profile_ != QuantProfile::int8_u8 || graph_.is_output(pool.output) || !reaches_mark(input))
      return;
    claim(input);
    mark(pool.output);
    inner_.insert({input, pool.output});
  }

  // Beside the layer that the Add is fused with: the input that is computed first.
  std::optional<TensorId> residual_branch(const Node& add) const {
    const auto* first = graph_.producer(add.inputs[0]);
    const auto* second = graph_.producer(add.inputs[1]);
    const bool first_earlier = !first || (second && first < second);
    const auto* fused = first_earlier ? second : first;
    if (!fused || !is_quantized(*fused)) return std::nullopt;
    return add.inputs[first_earlier ? 0 : 1];
  }

  void mark(TensorId tensor) { marked_[tensor] = true; }

  // Whether a quantised layer reads the tensor, perhaps behind what stays on integers.
  bool feeds_layer(TensorId tensor) const {
    const auto readers = graph_.readers(tensor);
    return std::any_of(readers.begin(), readers.end(), [&](size_t index) {
      const auto& reader = graph_.nodes[index];
      if (is_quantized(reader)) return true;
      const bool stays = passes_values(reader) || reader.as<op::Concat>() ||
                         reader.as<op::AveragePool>() || is_residual_add(graph_, reader);
      return stays && feeds_layer(unit_output(graph_, reader));
    });
  }

  // A quantised tensor, or one made of nothing else by handing on values.
  bool reaches_mark(TensorId tensor) const {
    if (marked_[tensor]) return true;
    const auto* node = graph_.producer(tensor);
    if (!node) return false;
    if (passes_values(*node)) return reaches_mark(node->inputs[0]);
    return node->as<op::Concat>() && std::all_of(node->inputs.begin(), node->inputs.end(),
                                                 [&](TensorId part) { return reaches_mark(part); });
  }

  // Quantises a tensor that something quantised reads, and with the same scale all that lies
  // between it and the quantised tensors that it is made of.
  void claim(TensorId tensor) {
    if (marked_[tensor]) return;
    const auto* node = graph_.producer(tensor);
    if (reaches_mark(tensor)) {
      const auto parts = passes_values(*node) ? std::vector{node->inputs[0]} : node->inputs;
      for (const auto part : parts) claim(part), root_[root(part)] = root(tensor);
      derived_[tensor] = true;
    }
    mark(tensor);
  }

  TensorId root(TensorId tensor) const {
    while (root_[tensor] != tensor) tensor = root_[tensor];
    return tensor;
  }

  void collect_groups() {
    std::map<TensorId, size_t> groups;
    const auto add = [&](TensorId tensor) {
      if (!marked_[tensor]) return;
      const auto [found, fresh] = groups.emplace(root(tensor), placement_.activations.size());
      if (fresh) placement_.activations.push_back(empty_group());
      auto& group = placement_.activations[found->second];
      group.tensors.push_back(tensor);
      if (!derived_[tensor]) group.sources.push_back(tensor);
      group.last = group.last && !inner_.contains(tensor);
      if (wide_.contains(tensor)) group.type = wide_type();
    };
    for (const auto id : graph_.inputs) add(id);
    for (const auto& node : graph_.nodes) add(node.output);
  }

  ActivationQuantizer empty_group() const {
    const bool is_signed = profile_ == QuantProfile::int8_s8;
    return {.tensors = {}, .sources = {}, .type = is_signed ? kInt8 : kUint8, .last = true};
  }
  QuantizerType wide_type() const { return profile_ == QuantProfile::int8_s8 ? kInt16 : kUint16; }

  const Graph& graph_;
  QuantProfile profile_;
  const LayerPrecisions& precisions_;
  QuantizerType weight_type_;
  Placement placement_;
  std::vector<TensorId> root_;          // union-find of the tensors that share a scale
  std::vector<bool> marked_, derived_;  // quantised; made of other quantised tensors
  std::set<TensorId> inner_, wide_;     // read by something quantised; 16 bits
};

void check(const Graph& graph, const LayerPrecisions& precisions) {
  for (const auto& node : graph.nodes) {
    require(!node.as<op::FakeQuantize>() && !node.as<op::DynamicFakeQuantize>(),
            "the model is quantised already (at ", node.name, "): start from its float model");
  }
  const auto layers = layer_names(graph);
  require(!layers.empty(), "the model has no convolution and no linear layer to quantise");
  for (const auto& [name, precision] : precisions) {
    find_name("layer", name, layers);
  }
}

}  // namespace

const std::vector<std::string>& quant_profile_names() {
  static const std::vector<std::string> names = {"int8-u8", "int8-s8", "int8-dynamic",
                                                 "int8-weights"};
  return names;
}

QuantProfile find_quant_profile(const std::string& name) {
  return static_cast<QuantProfile>(find_name("quantisation profile", name, quant_profile_names()));
}

const std::string& quant_profile_name(QuantProfile profile) {
  return quant_profile_names().at(static_cast<size_t>(profile));
}

bool is_layer(const Graph& graph, const Node& node) {
  if (node.inputs.size() < 2 || graph.tensor(node.inputs[0]).is_constant()) return false;
  const auto& weight = graph.tensor(node.inputs[1]);
  if (node.as<op::MatMul>()) return weight.is_constant() && weight.shape.size() == 2;
  return (node.as<op::Conv>() || node.as<op::Linear>()) && weight.is_constant();
}

std::vector<std::string> layer_names(const Graph& graph) {
  std::vector<std::string> names;
  for (const auto& node : graph.nodes) {
    if (is_layer(graph, node)) names.push_back(node.name);
  }
  return names;
}

int64_t weight_axis(const Node& layer) { return layer.as<op::MatMul>() ? 1 : 0; }

TensorId unit_output(const Graph& graph, const Node& layer) {
  const auto readers = graph.readers(layer.output);
  if (readers.size() != 1 || graph.is_output(layer.output)) return layer.output;
  const auto& reader = graph.nodes[readers[0]];
  return reader.as<op::Relu>() || reader.as<op::Clamp>() ? reader.output : layer.output;
}

Placement place_quantizers(const Graph& graph, QuantProfile profile,
                           const LayerPrecisions& precisions, bool reduce_range) {
  check(graph, precisions);
  return Placer(graph, profile, precisions, reduce_range ? kWeight7 : kWeight8).place();
}

}  // namespace plateforge
