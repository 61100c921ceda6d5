#include "compress/quantize/channel_uses.h"

#include <algorithm>
#include <numeric>

#include "compress/layers.h"
#include "compress/quantize/placement.h"

namespace plateforge {
namespace {

bool owns_weight(const Graph& graph, const Node& layer) {
  if (layer.as<op::MatMul>()) return false;
  for (size_t i = 1; i < layer.inputs.size(); ++i) {
    const bool shared = graph.readers(layer.inputs[i]).size() != 1;
    if (shared || !graph.tensor(layer.inputs[i]).is_constant()) return false;
  }
  return true;
}

// Follows the channels of one output to their ends.
class Follower {
 public:
  Follower(const Graph& graph, int64_t axis) : graph_(graph), axis_(axis) {}

  // False when some reader must see the tensor as it is.
  bool follow(TensorId tensor, const std::vector<int64_t>& channels, bool averaged) {
    if (graph_.is_output(tensor)) return false;
    for (const auto index : graph_.readers(tensor)) {
      if (!follow(graph_.nodes[index], tensor, channels, averaged)) return false;
    }
    return true;
  }
  std::vector<ChannelUse> uses;

 private:
  bool follow(const Node& reader, TensorId tensor, const std::vector<int64_t>& channels,
              bool averaged) {
    const bool spatial = axis_ == 1 && graph_.shape(tensor).size() == 4;
    if (reader.as<op::Relu>() ||
        (spatial && (reader.as<op::MaxPool>() || reader.as<op::Upsample>()))) {
      return follow(reader.output, channels, averaged);
    }
    if (spatial && reader.as<op::AveragePool>()) return follow(reader.output, channels, true);
    if (const auto* slice = reader.as<op::Slice>()) {
      return follow(reader.output, slice->axis == axis_ ? sliced(channels, *slice) : channels,
                    averaged);
    }
    const bool absorbs = is_layer(graph_, reader) && owns_weight(graph_, reader) &&
                         reader.inputs[0] == tensor &&
                         axis_ == channel_axis(reader, std::ssize(graph_.shape(tensor)));
    // Averages are float already, so a Multiply behind them keeps nothing from running on integers.
    const bool takes_integers = reader.as<op::Add>() || reader.as<op::Concat>();
    if (!absorbs && takes_integers && !averaged) return false;
    uses.push_back({reader.name, tensor, channels, absorbs});
    return true;
  }

  static std::vector<int64_t> sliced(const std::vector<int64_t>& channels, const op::Slice& slice) {
    std::vector<int64_t> kept;
    for (auto i = slice.start; i < slice.stop; i += slice.step) {
      kept.push_back(channels[static_cast<size_t>(i)]);
    }
    return kept;
  }

  const Graph& graph_;
  int64_t axis_;
};

std::optional<ScalableOutput> scalable_output(const Graph& graph, const Node& layer) {
  if (!is_layer(graph, layer) || !owns_weight(graph, layer)) return std::nullopt;
  const auto output = unit_output(graph, layer);
  const auto* last = graph.producer(output);
  if (last->as<op::Clamp>()) return std::nullopt;  // its bounds would have to move too
  ScalableOutput scalable{
      layer.name, output, channel_axis(layer, std::ssize(graph.shape(output))), {}};
  std::vector<int64_t> channels(static_cast<size_t>(graph.shape(layer.inputs[1])[0]));
  std::iota(channels.begin(), channels.end(), 0);
  Follower follower(graph, scalable.axis);
  if (!follower.follow(output, channels, false)) return std::nullopt;
  scalable.uses = std::move(follower.uses);
  const auto absorbs = [](const ChannelUse& use) { return use.absorbs; };
  return std::any_of(scalable.uses.begin(), scalable.uses.end(), absorbs)
             ? std::optional(std::move(scalable))
             : std::nullopt;
}

}  // namespace

std::vector<ScalableOutput> scalable_outputs(const Graph& graph) {
  std::vector<ScalableOutput> all;
  for (const auto& node : graph.nodes) {
    if (auto scalable = scalable_output(graph, node)) all.push_back(std::move(*scalable));
  }
  return all;
}

}  // namespace plateforge
