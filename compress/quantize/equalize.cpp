#include "compress/quantize/equalize.h"

#include <torch/utils.h>

#include <algorithm>
#include <map>

#include "compress/layers.h"
#include "compress/quantize/channel_uses.h"
#include "configs/suggest.h"
#include "models/graph/execute.h"

namespace plateforge {
namespace {

using torch::Tensor;

constexpr double kSmallestShare = 0.02;  // of the largest channel
constexpr int kWeightRounds = 20;

size_t node_index(const Graph& graph, const std::string& name) {
  const auto found = std::find_if(graph.nodes.begin(), graph.nodes.end(),
                                  [&](const Node& node) { return node.name == name; });
  TORCH_CHECK(found != graph.nodes.end(), "no node ", name);
  return static_cast<size_t>(found - graph.nodes.begin());
}

Tensor indices(const std::vector<int64_t>& channels) {
  return torch::tensor(channels, torch::kLong);
}

// [C] as it broadcasts along `axis` of a tensor of that rank.
Tensor along(const Tensor& factors, int64_t axis, int64_t rank) {
  Shape shape(static_cast<size_t>(rank), 1);
  shape[static_cast<size_t>(axis)] = -1;
  return factors.reshape(shape);
}

void divide_outputs(Graph& graph, const Node& layer, const Tensor& factors) {
  const auto rank = graph.tensor(layer.inputs[1]).value.dim();
  scale_constant(graph, layer.inputs[1], along(1 / factors, 0, rank));
  if (layer.inputs.size() > 2) scale_constant(graph, layer.inputs[2], 1 / factors);
}

// A weight [O, I/groups, ...] with one factor per input channel, seen as [groups, O/groups,
// I/groups, ...].
Tensor per_input(const Graph& graph, const Node& layer, const Tensor& factors) {
  const auto& weight = graph.tensor(layer.inputs[1]).value;
  const auto* conv = layer.as<op::Conv>();
  const auto groups = conv ? conv->groups : 1;
  auto by_row = factors.reshape({groups, 1, -1})
                    .expand({groups, weight.size(0) / groups, weight.size(1)})
                    .reshape({weight.size(0), weight.size(1)});
  while (by_row.dim() < weight.dim()) by_row = by_row.unsqueeze(-1);
  return by_row;
}

// Multiplies what the uses of one tensor that absorb nothing read.
void restore(Graph& graph, const std::vector<const ChannelUse*>& uses, int64_t axis,
             const Tensor& factors) {
  const auto tensor = uses.front()->tensor;
  const auto name = graph.tensor(tensor).name + "_restored";
  auto shape = graph.shape(tensor);
  // Without the batch: [C, 1, 1] for images.
  const auto value =
      along(factors, axis - 1, static_cast<int64_t>(shape.size()) - 1).to(torch::kFloat);
  const auto factor =
      graph.add_tensor(name + "_factors", value.sizes().vec(), Origin::buffer, value.contiguous());
  const auto restored = graph.add_node(op::Multiply{}, name, {tensor, factor}, shape);
  const auto node = graph.nodes.back();
  graph.nodes.pop_back();
  size_t first = graph.nodes.size();
  for (const auto* use : uses) {
    const auto index = node_index(graph, use->node);
    auto& inputs = graph.nodes[index].inputs;
    std::replace(inputs.begin(), inputs.end(), tensor, restored);
    first = std::min(first, index);
  }
  graph.nodes.insert(graph.nodes.begin() + static_cast<std::ptrdiff_t>(first), node);
}

// Divides the output's channels by factors [C] (double) and multiplies them at every use.
void apply(Graph& graph, const ScalableOutput& output, const Tensor& factors) {
  divide_outputs(graph, graph.nodes[node_index(graph, output.layer)], factors);
  std::map<TensorId, std::vector<const ChannelUse*>> restored;
  for (const auto& use : output.uses) {
    if (!use.absorbs) {
      restored[use.tensor].push_back(&use);
      continue;
    }
    const auto& layer = graph.nodes[node_index(graph, use.node)];
    const auto own = factors.index_select(0, indices(use.channels));
    scale_constant(graph, layer.inputs[1], per_input(graph, layer, own));
  }
  for (const auto& [tensor, uses] : restored) {
    restore(graph, uses, output.axis, factors.index_select(0, indices(uses.front()->channels)));
  }
}

// Somewhere only some channels go, or they also go where they must be multiplied again.
bool branches(const ScalableOutput& output, int64_t channels) {
  return std::any_of(output.uses.begin(), output.uses.end(), [&](const ChannelUse& use) {
    return !use.absorbs || static_cast<int64_t>(use.channels.size()) < channels;
  });
}

// Mean over the pictures of each channel's largest absolute value, [C] double.
std::map<TensorId, Tensor> channel_ranges(const Graph& graph, const std::vector<Tensor>& batches,
                                          const std::vector<ScalableOutput>& outputs) {
  std::map<TensorId, int64_t> axes;
  for (const auto& output : outputs) axes[output.output] = output.axis;
  std::map<TensorId, Tensor> sums;
  int64_t pictures = 0;
  for (const auto& images : batches) {
    pictures += images.size(0);
    execute(graph, {images}, [&](const Node& node, const Tensor& value) {
      const auto axis = axes.find(node.output);
      if (axis == axes.end()) return;
      const auto rows = value.abs().movedim(axis->second, 1).flatten(2);  // [N, C, rest]
      const auto sum = rows.amax(2).sum(0).to(torch::kDouble);
      auto& known = sums[node.output];
      known = known.defined() ? known + sum : sum;
    });
  }
  for (auto& [tensor, sum] : sums) sum /= static_cast<double>(pictures);
  return sums;
}

// Channels with the same readers get their largest range.
Tensor shared_by_readers(const ScalableOutput& output, const Tensor& ranges) {
  std::vector<std::vector<bool>> readers(static_cast<size_t>(ranges.size(0)),
                                         std::vector<bool>(output.uses.size(), false));
  for (size_t use = 0; use < output.uses.size(); ++use) {
    for (const auto channel : output.uses[use].channels) {
      readers[static_cast<size_t>(channel)][use] = true;
    }
  }
  std::map<std::vector<bool>, double> largest;
  for (size_t c = 0; c < readers.size(); ++c) {
    auto& known = largest[readers[c]];
    known = std::max(known, ranges[static_cast<int64_t>(c)].item<double>());
  }
  auto shared = ranges.clone();
  for (size_t c = 0; c < readers.size(); ++c) shared[static_cast<int64_t>(c)] = largest[readers[c]];
  return shared;
}

std::vector<std::string> equalize_activations(Graph& graph, Equalization form,
                                              const std::vector<Tensor>& batches) {
  auto outputs = scalable_outputs(graph);
  std::erase_if(outputs, [&](const ScalableOutput& output) {
    return !branches(output, graph.shape(output.output)[static_cast<size_t>(output.axis)]);
  });
  if (outputs.empty()) return {};
  const auto ranges = channel_ranges(graph, batches, outputs);
  std::vector<std::string> layers;
  for (const auto& output : outputs) {
    const auto& seen = ranges.at(output.output);
    const auto largest = seen.max().item<double>();
    if (!(largest > 0)) continue;
    const auto wanted = form == Equalization::group ? shared_by_readers(output, seen) : seen;
    apply(graph, output, wanted.clamp_min(kSmallestShare * largest) / largest);
    layers.push_back(output.layer);
  }
  return layers;
}

// Largest absolute weight that multiplies each input channel of a layer, [I] double.
Tensor input_ranges(const Graph& graph, const Node& layer) {
  const auto weight = graph.tensor(layer.inputs[1]).value.to(torch::kDouble).abs();
  const auto* conv = layer.as<op::Conv>();
  const auto groups = conv ? conv->groups : 1;
  return weight.reshape({groups, weight.size(0) / groups, weight.size(1), -1})
      .amax({1, 3})
      .flatten();
}

// Factors sqrt(r1 / r2) make the ranges of a channel's two weights equal.
Tensor weight_factors(const Graph& graph, const ScalableOutput& output) {
  const auto& layer = graph.nodes[node_index(graph, output.layer)];
  const auto written =
      graph.tensor(layer.inputs[1]).value.to(torch::kDouble).abs().flatten(1).amax(1);
  auto read = torch::zeros_like(written);
  for (const auto& use : output.uses) {
    read = torch::max(read, input_ranges(graph, graph.nodes[node_index(graph, use.node)]));
  }
  const auto usable = (written > 0) & (read > 0);
  return torch::where(usable, (written / read).sqrt(), torch::ones_like(written));
}

std::vector<std::string> equalize_weights(Graph& graph) {
  auto outputs = scalable_outputs(graph);
  std::erase_if(outputs, [&](const ScalableOutput& output) {
    return branches(output, graph.shape(output.output)[static_cast<size_t>(output.axis)]);
  });
  for (int round = 0; round < kWeightRounds; ++round) {
    double largest_step = 0;
    for (const auto& output : outputs) {
      const auto factors = weight_factors(graph, output);
      apply(graph, output, factors);
      largest_step = std::max(largest_step, factors.log().abs().max().item<double>());
    }
    if (largest_step < 1e-3) break;
  }
  std::vector<std::string> layers;
  for (const auto& output : outputs) layers.push_back(output.layer);
  return layers;
}

}  // namespace

const std::vector<std::string>& equalization_names() {
  static const std::vector<std::string> names = {"none", "group", "all", "weights"};
  return names;
}

Equalization find_equalization(const std::string& name) {
  return static_cast<Equalization>(find_name("equalisation", name, equalization_names()));
}

const std::string& equalization_name(Equalization value) {
  return equalization_names().at(static_cast<size_t>(value));
}

std::vector<std::string> equalize(Graph& graph, Equalization form,
                                  const std::vector<Tensor>& batches) {
  const torch::NoGradGuard no_grad;
  switch (form) {
    case Equalization::none:
      return {};
    case Equalization::group:
    case Equalization::all:
      return equalize_activations(graph, form, batches);
    case Equalization::weights:
      return equalize_weights(graph);
  }
  throw std::logic_error("equalize: unknown form");
}

}  // namespace plateforge
