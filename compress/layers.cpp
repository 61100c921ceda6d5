#include "compress/layers.h"

#include <cstdlib>

#include "configs/error.h"
#include "configs/suggest.h"
#include "models/graph/trace.h"

namespace plateforge {
namespace {

using torch::Tensor;

std::string layer_name(const std::string& parameter) {
  constexpr std::string_view kSuffix = ".weight";
  return parameter.ends_with(kSuffix) ? parameter.substr(0, parameter.size() - kSuffix.size())
                                      : parameter;
}

bool is_below(const std::string& name, const std::string& prefix) {
  return name == prefix || name.starts_with(prefix + ".");
}

double parse_ratio(const std::string& text, const std::string& entry) {
  char* end = nullptr;
  const double ratio = std::strtod(text.c_str(), &end);
  require(!text.empty() && *end == '\0', "prune.layers: '", entry,
          "' is not PREFIX=RATIO with a number");
  require(ratio >= 0 && ratio < 1, "prune.layers: the ratio of '", entry,
          "' must lie in [0, 1): a layer without weights reads nothing");
  return ratio;
}

Tensor bias_of(const Graph& graph, const Node& node) {
  const auto* bias = node.inputs.size() > 2 ? &graph.tensor(node.inputs[2]) : nullptr;
  return bias && bias->origin == Origin::parameter ? bias->value : Tensor();
}

}  // namespace

TensorId stored_weight(const Graph& graph, TensorId weight) {
  const auto* producer = graph.producer(weight);
  return producer && producer->as<op::FakeQuantize>() ? producer->inputs[0] : weight;
}

int64_t channel_axis(const Node& layer, int64_t rank) {
  return layer.as<op::Conv>() ? 1 : rank - 1;
}

void scale_constant(Graph& graph, TensorId id, const torch::Tensor& factors) {
  auto& tensor = graph.tensors[id];
  tensor.value = (tensor.value.to(torch::kDouble) * factors).to(torch::kFloat);
}

std::vector<PrunableLayer> prunable_layers(Network& network, const Shape& image_shape) {
  const auto graph = trace(network, image_shape);
  std::map<TensorId, size_t> known;  // a shared weight is one layer
  std::vector<PrunableLayer> layers;
  for (const auto& node : graph.nodes) {
    if (!node.as<op::Conv>() && !node.as<op::Linear>()) continue;
    const auto id = stored_weight(graph, node.inputs[1]);
    const auto& weight = graph.tensor(id);
    if (weight.origin != Origin::parameter) continue;
    const auto [place, is_new] = known.try_emplace(id, layers.size());
    if (is_new)
      layers.push_back({.name = layer_name(weight.name),
                        .parameter = weight.name,
                        .weight = weight.value,
                        .bias = bias_of(graph, node)});
    layers[place->second].macs += macs(graph, node);
  }
  require(!layers.empty(), "the network has no convolution or linear layer to prune");
  return layers;
}

std::vector<std::string> layer_names(const std::vector<PrunableLayer>& layers) {
  std::vector<std::string> names;
  for (const auto& layer : layers) names.push_back(layer.name);
  return names;
}

std::vector<Tensor> weights_of(const std::vector<PrunableLayer>& layers) {
  std::vector<Tensor> weights;
  for (const auto& layer : layers) weights.push_back(layer.weight);
  return weights;
}

std::map<std::string, double> ratios_by_prefix(const std::vector<std::string>& entries,
                                               const std::vector<PrunableLayer>& layers) {
  std::map<std::string, double> ratios;
  std::map<std::string, size_t> matched;  // length of the prefix that set a layer's ratio
  for (const auto& entry : entries) {
    const auto equals = entry.rfind('=');
    require(equals != std::string::npos && equals > 0, "prune.layers: '", entry,
            "' is not PREFIX=RATIO");
    const auto prefix = entry.substr(0, equals);
    const double ratio = parse_ratio(entry.substr(equals + 1), entry);
    bool found = false;
    for (const auto& layer : layers) {
      if (!is_below(layer.name, prefix)) continue;
      found = true;
      if (prefix.size() < matched[layer.name]) continue;
      matched[layer.name] = prefix.size();
      ratios[layer.name] = ratio;
    }
    require(found, "prune.layers: no layer is called '", prefix, "'; ",
            known_names(prefix, layer_names(layers)));
  }
  return ratios;
}

}  // namespace plateforge
