#include "export/quantizers.h"

#include <algorithm>
#include <map>
#include <vector>

#include "models/graph/rewriter.h"

namespace plateforge {
namespace {

bool same_value(const Graph& graph, TensorId a, TensorId b) {
  return a == b || torch::equal(graph.tensor(a).value, graph.tensor(b).value);
}

bool same_grid(const Graph& graph, const Grid& a, const Grid& b) {
  return a.low == b.low && a.high == b.high && a.axis == b.axis &&
         same_value(graph, a.scale, b.scale) && same_value(graph, a.zero_point, b.zero_point);
}

Grid grid_of(const Node& node, const op::FakeQuantize& o) {
  return {o.low, o.high, o.axis, node.inputs[1], node.inputs[2]};
}

// Every value of the result is a value of an input.
bool moves_values(const Node& node) {
  return node.as<op::MaxPool>() || node.as<op::Upsample>() || node.as<op::Slice>() ||
         node.as<op::Reshape>() || node.as<op::Permute>() || node.as<op::Concat>();
}

// Walks the nodes once, knowing for each tensor so far the grid its values are on.
class Arranger {
 public:
  explicit Arranger(Graph& graph) : graph_(graph), rewriter_(graph) {}

  void run() {
    for (const auto& old : rewriter_.old_nodes()) {
      auto node = old;
      for (auto& id : node.inputs) id = current(id);
      if (const auto* quantize = node.as<op::FakeQuantize>()) {
        add(node, grid_of(node, *quantize));
      } else {
        rewriter_.keep(node);
        if (const auto grid = kept_grid(node)) quantize_again(node, *grid);
      }
    }
    for (auto& id : graph_.outputs) id = current(id);
    graph_.remove_dead();
  }

 private:
  TensorId current(TensorId id) const {
    const auto moved = instead_.find(id);
    return moved == instead_.end() ? id : moved->second;
  }

  const Grid* grid(TensorId id) const {
    const auto found = grids_.find(id);
    return found == grids_.end() ? nullptr : &found->second;
  }

  void add(const Node& node, const Grid& wanted) {
    const auto x = node.inputs[0];
    if (const auto* own = grid(x); own && same_grid(graph_, *own, wanted)) {
      instead_[node.output] = x;
      return;
    }
    for (const auto twin : quantized_[x]) {
      if (same_grid(graph_, grids_.at(twin), wanted)) {
        instead_[node.output] = twin;
        return;
      }
    }
    rewriter_.keep(node);
    grids_[node.output] = wanted;
    quantized_[x].push_back(node.output);
  }

  // The one grid of all inputs of a node that moves values. Per channel is left alone: the axis
  // would have to move along.
  std::optional<Grid> kept_grid(const Node& node) const {
    if (!moves_values(node)) return std::nullopt;
    const auto* first = grid(node.inputs[0]);
    const bool one = first && first->axis < 0 &&
                     std::all_of(node.inputs.begin(), node.inputs.end(), [&](TensorId id) {
                       return grid(id) && same_grid(graph_, *grid(id), *first);
                     });
    return one ? std::optional(*first) : std::nullopt;
  }

  void quantize_again(const Node& node, const Grid& grid) {
    const auto quantized =
        rewriter_.add(op::FakeQuantize{grid.low, grid.high, grid.axis}, node.name + ".quantized",
                      {node.output, grid.scale, grid.zero_point}, graph_.shape(node.output));
    grids_[quantized] = grid;
    instead_[node.output] = quantized;
  }

  Graph& graph_;
  Rewriter rewriter_;
  std::map<TensorId, TensorId> instead_;  // what later nodes read in a tensor's place
  std::map<TensorId, Grid> grids_;        // of tensors on a grid
  std::map<TensorId, std::vector<TensorId>> quantized_;  // quantised forms of a tensor
};

bool is_8_bit_activation(const std::optional<Grid>& grid) {
  return grid && grid->axis < 0 && grid->high - grid->low == 255;
}

// Reads 8-bit values, and nothing but a quantiser to 8 bits reads it.
bool is_integer_pool(const Graph& graph, const Node& node) {
  const auto* pool = node.as<op::AveragePool>();
  if (!pool || graph.is_output(node.output)) return false;
  const bool padded = std::any_of(pool->padding.begin(), pool->padding.end(),
                                  [](int64_t extent) { return extent > 0; });
  const auto readers = graph.readers(node.output);
  return (pool->count_padding || !padded) && readers.size() == 1 &&
         is_8_bit_activation(grid_of(graph, node.inputs[0])) &&
         is_8_bit_activation(grid_of(graph, graph.nodes[readers[0]].output));
}

}  // namespace

void spell_average_pools(Graph& graph) {
  std::vector<bool> integer;
  for (const auto& node : graph.nodes) integer.push_back(is_integer_pool(graph, node));
  Rewriter rewriter(graph);
  for (size_t i = 0; i < integer.size(); ++i) {
    const auto node = rewriter.old_nodes()[i];
    if (!integer[i]) {
      rewriter.keep(node);
      continue;
    }
    const auto pool = *node.as<op::AveragePool>();
    const auto channels = graph.shape(node.output)[1];
    const Shape shape{channels, 1, pool.kernel[0], pool.kernel[1]};
    const float share = 1.0F / static_cast<float>(pool.kernel[0] * pool.kernel[1]);
    const auto name = node.name;
    const auto weight = graph.add_literal(name + ".weight", torch::full(shape, share));
    const auto scale = graph.add_literal(name + ".weight_scale", torch::tensor(share / 127));
    const auto zero = graph.add_literal(name + ".weight_zero_point", torch::tensor(0, torch::kInt));
    const auto quantized = rewriter.add(op::FakeQuantize{-127, 127, -1}, name + ".weight_quantized",
                                        {weight, scale, zero}, shape);
    rewriter.add(op::Conv{pool.stride, pool.padding, {1, 1}, channels}, name,
                 {node.inputs[0], quantized}, graph.shape(node.output));
    rewriter.rename_last(node.output);
  }
  graph.remove_dead();
}

std::optional<Grid> grid_of(const Graph& graph, TensorId id) {
  const auto* node = graph.producer(id);
  const auto* quantize = node ? node->as<op::FakeQuantize>() : nullptr;
  return quantize ? std::optional(grid_of(*node, *quantize)) : std::nullopt;
}

std::string natural_profile(const Graph& graph) {
  std::string profile = "fp32";
  for (const auto& node : graph.nodes) {
    if (node.as<op::DynamicFakeQuantize>()) return "int8-dynamic";
    const auto* quantize = node.as<op::FakeQuantize>();
    if (!quantize) continue;
    if (!graph.tensor(node.inputs[0]).is_constant())
      return quantize->low < 0 ? "int8-s8" : "int8-u8";
    profile = "int8-weights";
  }
  return profile;
}

void arrange_quantizers(Graph& graph) { Arranger(graph).run(); }

}  // namespace plateforge
