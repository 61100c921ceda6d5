#include "export/channel_order.h"

#include <torch/utils.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>

namespace plateforge {
namespace {

using torch::Tensor;

// Channel c of a reordered tensor is channel order[c] of the original. Channels are axis 1.
using Order = std::vector<int64_t>;

bool is_identity(const Order& order) {
  for (size_t i = 0; i < order.size(); ++i)
    if (order[i] != static_cast<int64_t>(i)) return false;
  return true;
}

const op::Slice* strided_channel_slice(const Node& node) {
  const auto* slice = node.as<op::Slice>();
  return slice && slice->axis == 1 && slice->step > 1 ? slice : nullptr;
}

// Those that the slice keeps, then the others.
Order kept_first(const op::Slice& slice, int64_t channels) {
  Order order, others;
  for (int64_t c = 0; c < channels; ++c) {
    const bool kept = c >= slice.start && c < slice.stop && (c - slice.start) % slice.step == 0;
    (kept ? order : others).push_back(c);
  }
  order.insert(order.end(), others.begin(), others.end());
  return order;
}

// Works on channels one by one, or on each pixel's values alone: keeps the order of its input.
bool keeps_order(const Node& node) {
  return std::visit(
      Overloaded{[](const op::MaxPool&) { return true; },
                 [](const op::AveragePool&) { return true; },
                 [](const op::Upsample&) { return true; }, [](const op::Relu&) { return true; },
                 [](const op::Sigmoid&) { return true; }, [](const op::Tanh&) { return true; },
                 [](const op::Erf&) { return true; }, [](const op::Sqrt&) { return true; },
                 [](const op::Clamp&) { return true; },
                 [](const op::DynamicFakeQuantize&) { return true; },
                 [](const op::FakeQuantize& o) { return o.axis < 0; },
                 [](const op::Slice& o) { return o.axis != 1; }, [](const auto&) { return false; }},
      node.op);
}

// One attempt: a convolution's outputs in a new order, carried through all that reads them. `graph`
// is spoilt when the attempt fails.
class Reordering {
 public:
  explicit Reordering(Graph& graph) : graph_(graph) {}

  bool run(size_t source, const Order& order) {
    if (!permute_outputs(graph_.nodes[source], order)) return false;
    orders_[graph_.nodes[source].output] = order;
    for (size_t i = source + 1; i < graph_.nodes.size(); ++i)
      if (!follow(graph_.nodes[i])) return false;
    return std::none_of(graph_.outputs.begin(), graph_.outputs.end(),
                        [&](TensorId id) { return orders_.count(id) > 0; });
  }

 private:
  const Order* order_of(TensorId id) const {
    const auto found = orders_.find(id);
    return found == orders_.end() ? nullptr : &found->second;
  }

  void set(const Node& node, const Order& order) {
    if (!is_identity(order)) orders_[node.output] = order;
  }

  bool follow(Node& node) {
    const auto touched = std::any_of(node.inputs.begin(), node.inputs.end(),
                                     [&](TensorId id) { return order_of(id) != nullptr; });
    if (!touched) return true;
    if (node.as<op::Conv>()) return follow_conv(node);
    if (node.as<op::Concat>()) return follow_concat(node);
    if (node.as<op::Mean>()) return follow_mean(node);
    if (strided_channel_slice(node)) return follow_slice(node);
    if (node.as<op::Add>() || node.as<op::Subtract>() || node.as<op::Multiply>() ||
        node.as<op::Divide>())
      return follow_pair(node);
    if (!keeps_order(node)) return false;
    set(node, *order_of(node.inputs[0]));
    return true;
  }

  bool follow_conv(Node& node) {
    const auto order = *order_of(node.inputs[0]);
    const auto groups = node.as<op::Conv>()->groups;
    if (groups == 1) return permute(node.inputs[1], 1, order);
    const bool depthwise =
        groups == static_cast<int64_t>(order.size()) && graph_.shape(node.output)[1] == groups;
    if (!depthwise || !permute_outputs(node, order)) return false;
    set(node, order);
    return true;
  }

  bool follow_concat(Node& node) {
    if (node.as<op::Concat>()->axis != 1) return false;
    Order order;
    for (const auto id : node.inputs) {
      const auto first = static_cast<int64_t>(order.size());
      Order part(static_cast<size_t>(graph_.shape(id)[1]));
      std::iota(part.begin(), part.end(), int64_t{0});
      if (const auto* moved = order_of(id)) part = *moved;
      for (const auto channel : part) order.push_back(first + channel);
    }
    set(node, order);
    return true;
  }

  bool follow_mean(Node& node) {
    const auto& axes = node.as<op::Mean>()->axes;
    const bool over_channels = std::find(axes.begin(), axes.end(), 1) != axes.end();
    const bool axis_moves =
        !node.as<op::Mean>()->keep_axes && std::find(axes.begin(), axes.end(), 0) != axes.end();
    if (over_channels) return true;
    if (axis_moves) return false;
    set(node, *order_of(node.inputs[0]));
    return true;
  }

  bool follow_slice(Node& node) {
    auto& slice = std::get<op::Slice>(node.op);
    const auto& order = *order_of(node.inputs[0]);
    const auto count = graph_.shape(node.output)[1];
    for (int64_t i = 0; i < count; ++i)
      if (order[static_cast<size_t>(i)] != slice.start + i * slice.step) return false;
    slice.start = 0, slice.stop = count, slice.step = 1;
    return true;
  }

  // The other operand has one channel, the same order, or is a constant that can follow.
  bool follow_pair(Node& node) {
    const bool first = order_of(node.inputs[0]) != nullptr;
    const auto order = *order_of(node.inputs[first ? 0 : 1]);
    const auto other = node.inputs[first ? 1 : 0];
    const auto rank = graph_.shape(node.output).size();
    const auto& shape = graph_.shape(other);
    if (graph_.shape(node.inputs[first ? 0 : 1]).size() != rank) return false;
    const auto axis = static_cast<int64_t>(shape.size()) - static_cast<int64_t>(rank) + 1;
    const bool one_channel = axis < 0 || shape[static_cast<size_t>(axis)] == 1;
    if (!one_channel) {
      const auto* known = order_of(other);
      if (known ? *known != order : !permute(other, axis, order)) return false;
    }
    set(node, order);
    return true;
  }

  bool permute_outputs(const Node& conv, const Order& order) {
    return permute(conv.inputs[1], 0, order) &&
           (conv.inputs.size() < 3 || permute(conv.inputs[2], 0, order));
  }

  // A constant, or a quantised one, that only one node reads.
  bool permute(TensorId id, int64_t axis, const Order& order) {
    if (graph_.readers(id).size() != 1) return false;
    auto& tensor = graph_.tensors[id];
    if (tensor.is_constant()) {
      if (tensor.value.size(axis) != static_cast<int64_t>(order.size())) return false;
      tensor.value = tensor.value.index_select(axis, torch::tensor(order, torch::kLong));
      return true;
    }
    const auto* producer = graph_.producer(id);
    const auto* quantize = producer ? producer->as<op::FakeQuantize>() : nullptr;
    if (!quantize || !graph_.tensor(producer->inputs[0]).is_constant()) return false;
    if (!permute(producer->inputs[0], axis, order)) return false;
    return quantize->axis != axis ||
           (permute(producer->inputs[1], 0, order) && permute(producer->inputs[2], 0, order));
  }

  Graph& graph_;
  std::map<TensorId, Order> orders_;  // of tensors that are not in their original order
};

// The convolution that computes the channels of a tensor, itself or before what keeps their order.
const Node* channel_source(const Graph& graph, TensorId id) {
  const auto* node = graph.producer(id);
  if (!node) return nullptr;
  if (const auto* conv = node->as<op::Conv>(); conv && conv->groups == 1) return node;
  return keeps_order(*node) ? channel_source(graph, node->inputs[0]) : nullptr;
}

}  // namespace

void line_up_slices(Graph& graph) {
  const torch::NoGradGuard no_grad;
  for (size_t i = 0; i < graph.nodes.size(); ++i) {
    const auto* slice = strided_channel_slice(graph.nodes[i]);
    const auto* source = slice ? channel_source(graph, graph.nodes[i].inputs[0]) : nullptr;
    if (!source) continue;
    const auto order = kept_first(*slice, graph.shape(graph.nodes[i].inputs[0])[1]);
    auto attempt = graph;
    if (Reordering(attempt).run(static_cast<size_t>(source - graph.nodes.data()), order))
      graph = std::move(attempt);
  }
}

}  // namespace plateforge
