#include "compress/shrink/channel_ties.h"

#include <algorithm>
#include <optional>

namespace plateforge {
namespace {

constexpr size_t kChannelAxis = 1;
constexpr size_t kNoAxis = static_cast<size_t>(-1);

// Axes of a reshape's two sides that hold the same elements.
struct Block {
  std::vector<size_t> from, to;
};

// Axes of extent 1 are left out; nullopt when the shapes cannot be told apart (the batch is merged
// with something).
std::optional<std::vector<Block>> matching_blocks(const Shape& from, const Shape& to) {
  std::vector<Block> blocks;
  size_t i = 0, j = 0;
  while (true) {
    while (i < from.size() && from[i] == 1) ++i;
    while (j < to.size() && to[j] == 1) ++j;
    if (i == from.size() || j == to.size()) break;
    if (from[i] < 0 && to[j] < 0) {
      ++i, ++j;
      continue;
    }
    Block block{{i}, {j}};
    auto size_from = from[i++], size_to = to[j++];
    while (size_from != size_to) {
      if (size_from < 0 || size_to < 0) return std::nullopt;
      if (size_from < size_to) {
        if (i == from.size() || from[i] < 0) return std::nullopt;
        size_from *= from[i];
        if (from[i++] > 1) block.from.push_back(i - 1);
      } else {
        if (j == to.size() || to[j] < 0) return std::nullopt;
        size_to *= to[j];
        if (to[j++] > 1) block.to.push_back(j - 1);
      }
    }
    blocks.push_back(std::move(block));
  }
  const bool all_read = i == from.size() && j == to.size();
  return all_read ? std::optional(blocks) : std::nullopt;
}

}  // namespace

ChannelTies::ChannelTies(const Graph& graph) : graph_(graph) {
  for (const auto& tensor : graph.tensors) {
    auto& first = first_.emplace_back();
    for (const auto size : tensor.shape) {
      first.push_back(parent_.size());
      for (int64_t i = 0; i < size; ++i) parent_.push_back(parent_.size());
    }
  }
  for (const auto& node : graph.nodes) follow(node);
  for (const auto id : graph.inputs) freeze(id, "they are the network's input");
  for (const auto id : graph.outputs) freeze(id, "they are the network's output");
  for (TensorId id = 0; id < graph.tensors.size(); ++id)
    if (graph.tensor(id).origin == Origin::literal)
      freeze(id, "their number is written into the network as a constant");
  settle();
}

void ChannelTies::follow(const Node& node) {
  const auto x = node.inputs.at(0), y = node.output;
  const auto keep_axes = [&](size_t but = kNoAxis) { tie_all_axes_but(but, x, y); };
  const auto pool = [&] {
    tie_axes(x, kChannelAxis, y, kChannelAxis);
    for (size_t axis = kChannelAxis + 1; axis < rank(x); ++axis) freeze(x, axis, "they are places");
  };
  const auto softmax = [&](int64_t axis) {
    keep_axes();
    freeze(x, static_cast<size_t>(axis), node.name + " weighs them against each other");
  };
  std::visit(Overloaded{[&](const op::Conv& o) { follow_conv(o, node); },
                        [&](const op::Linear&) { follow_linear(node); },
                        [&](const op::MatMul&) { follow_product(node); },
                        [&](const op::BatchNorm&) {
                          keep_axes();
                          for (size_t i = 1; i < node.inputs.size(); ++i)
                            tie_axes(node.inputs[i], 0, y, kChannelAxis);
                        },
                        [&](const op::MaxPool&) { pool(); },
                        [&](const op::AveragePool&) { pool(); },
                        [&](const op::Upsample&) { pool(); },
                        [&](const op::Mean& o) { follow_mean(o, node); },
                        [&](const op::Slice& o) { follow_slice(o, node); },
                        [&](const op::Concat& o) { follow_concat(o, node); },
                        [&](const op::Reshape&) { follow_reshape(node); },
                        [&](const op::Permute& o) {
                          for (size_t axis = 0; axis < o.order.size(); ++axis)
                            tie_axes(y, axis, x, static_cast<size_t>(o.order[axis]));
                        },
                        [&](const op::Softmax& o) { softmax(o.axis); },
                        [&](const op::LogSoftmax& o) { softmax(o.axis); },
                        [&](const op::FakeQuantize& o) {
                          keep_axes();
                          for (const auto i : {1, 2})
                            if (o.axis >= 0)
                              tie_axes(node.inputs[static_cast<size_t>(i)], 0, y,
                                       static_cast<size_t>(o.axis));
                        },
                        [&](const op::Add&) { follow_broadcast(node); },
                        [&](const op::Subtract&) { follow_broadcast(node); },
                        [&](const op::Multiply&) { follow_broadcast(node); },
                        [&](const op::Divide&) { follow_broadcast(node); },
                        [&](const auto&) { keep_axes(); }},  // one input, element by element
             node.op);
}

// Of G groups, group g reads I / G inputs and makes O / G outputs; in one group each output reads
// them all.
void ChannelTies::follow_conv(const op::Conv& conv, const Node& node) {
  const auto x = node.inputs[0], weight = node.inputs[1], y = node.output;
  for (const auto id : {x, y})
    for (size_t axis = kChannelAxis + 1; axis < rank(id); ++axis)
      freeze(id, axis, "they are places");
  for (size_t axis = 2; axis < rank(weight); ++axis) freeze(weight, axis, "they are places");
  tie_axes(weight, 0, y, kChannelAxis);
  if (node.inputs.size() > 2) tie_axes(node.inputs[2], 0, y, kChannelAxis);
  if (conv.groups == 1) return tie_axes(weight, 1, x, kChannelAxis);
  freeze(weight, 1, "they are one group's");
  const auto tie_groups = [&](TensorId id) {
    const auto channels = extent(id, kChannelAxis);
    for (int64_t i = 0; i < channels; ++i)
      tie(slot(id, kChannelAxis, i),
          slot(y, kChannelAxis, i / (channels / conv.groups) * (extent(y, 1) / conv.groups)));
  };
  tie_groups(x), tie_groups(y);
}

void ChannelTies::follow_linear(const Node& node) {
  const auto x = node.inputs[0], weight = node.inputs[1], y = node.output;
  tie_all_axes_but(rank(x) - 1, x, y);
  tie_axes(weight, 1, x, rank(x) - 1);
  tie_axes(weight, 0, y, rank(y) - 1);
  if (node.inputs.size() > 2) tie_axes(node.inputs[2], 0, y, rank(y) - 1);
}

// a [..., M, K] b [..., K, N]. Of two activations what is multiplied or summed over stays (tokens
// and the width of an attention head), the axes in front go together (the heads).
void ChannelTies::follow_product(const Node& node) {
  const auto a = node.inputs[0], b = node.inputs[1], y = node.output;
  tie_axes(a, rank(a) - 2, y, rank(y) - 2);
  tie_axes(a, rank(a) - 1, b, rank(b) - 2);
  tie_axes(b, rank(b) - 1, y, rank(y) - 1);
  for (const auto operand : {a, b})
    for (size_t back = 3; back <= rank(operand); ++back) {
      const auto from = rank(operand) - back, to = rank(y) - back;
      if (extent(operand, from) == extent(y, to)) tie_axes(operand, from, y, to);
    }
  if (graph_.tensor(a).is_constant() || graph_.tensor(b).is_constant()) return;
  for (const auto id : {a, b, y})
    for (size_t back = 1; back <= 2; ++back)
      freeze(id, rank(id) - back, node.name + " multiplies two activations");
}

void ChannelTies::follow_broadcast(const Node& node) {
  for (const auto operand : node.inputs)
    for (size_t back = 1; back <= rank(operand); ++back) {
      const auto from = rank(operand) - back, to = rank(node.output) - back;
      if (extent(operand, from) == extent(node.output, to))
        tie_axes(operand, from, node.output, to);
    }
}

void ChannelTies::follow_mean(const op::Mean& mean, const Node& node) {
  const auto x = node.inputs[0];
  size_t to = 0;
  for (size_t axis = 0; axis < rank(x); ++axis) {
    const bool reduced =
        std::binary_search(mean.axes.begin(), mean.axes.end(), static_cast<int64_t>(axis));
    if (reduced)
      for (int64_t i = 0; i < extent(x, axis); ++i) averaged_.insert(slot(x, axis, i));
    else
      tie_axes(x, axis, node.output, to);
    if (!reduced || mean.keep_axes) ++to;
  }
}

void ChannelTies::follow_slice(const op::Slice& slice, const Node& node) {
  const auto x = node.inputs[0], y = node.output;
  const auto axis = static_cast<size_t>(slice.axis);
  tie_all_axes_but(axis, x, y);
  for (int64_t i = 0; i < extent(y, axis); ++i)
    tie(slot(y, axis, i), slot(x, axis, slice.start + i * slice.step));
  if (extent(x, axis) == extent(y, axis)) return;
  if (is_part_of_pack(slice, node)) {
    for (int64_t i = 0; i < extent(y, axis); ++i)
      tie(slot(x, axis, i), slot(x, axis, slice.start + i));
  } else if (slice.start < slice.step && slice.stop == extent(x, axis)) {
    slices_.push_back({x, axis, slice.start, slice.step, node.name});
  } else {
    freeze(x, axis, node.name + " reads a range of them");
  }
}

// Queries, keys and values side by side: everything that reads them takes one of the equal parts.
bool ChannelTies::is_part_of_pack(const op::Slice& slice, const Node& node) const {
  const auto x = node.inputs[0];
  const auto part = slice.stop - slice.start;
  const auto readers = graph_.readers(x);
  return slice.step == 1 && !graph_.is_output(x) &&
         slice.axis + 1 == static_cast<int64_t>(rank(x)) &&
         static_cast<int64_t>(readers.size()) * part == graph_.shape(x).back() &&
         std::all_of(readers.begin(), readers.end(), [&](size_t i) {
           const auto* other = graph_.nodes[i].as<op::Slice>();
           return other && other->axis == slice.axis && other->step == 1 &&
                  other->stop - other->start == part && other->start % part == 0;
         });
}

void ChannelTies::follow_concat(const op::Concat& concat, const Node& node) {
  const auto axis = static_cast<size_t>(concat.axis);
  int64_t offset = 0;
  for (const auto part : node.inputs) {
    tie_all_axes_but(axis, part, node.output);
    for (int64_t i = 0; i < extent(part, axis); ++i)
      tie(slot(part, axis, i), slot(node.output, axis, offset + i));
    offset += extent(part, axis);
  }
}

void ChannelTies::follow_reshape(const Node& node) {
  const auto x = node.inputs[0], y = node.output;
  const auto reason = node.name + " takes them apart";
  const auto blocks = matching_blocks(graph_.shape(x), graph_.shape(y));
  if (!blocks) return freeze(x, reason), freeze(y, reason);
  for (const auto& block : *blocks) {
    if (block.from.size() == 1 && block.to.size() == 2) {
      split_heads(x, block.from[0], y, block.to[0], block.to[1]);
      continue;
    }
    if (block.to.size() > 1) {
      for (const auto axis : block.from) freeze(x, axis, reason);
      for (const auto axis : block.to) freeze(y, axis, reason);
      continue;
    }
    const auto channels = block.from[0], merged = block.to[0];
    for (size_t i = 1; i < block.from.size(); ++i) freeze(x, block.from[i], "they are places");
    const auto behind = extent(y, merged) / extent(x, channels);
    for (int64_t i = 0; i < extent(y, merged); ++i)
      tie(slot(y, merged, i), slot(x, channels, i / behind));
  }
}

// [..., h * d, ...] as [..., h, d, ...]: whole heads may go.
void ChannelTies::split_heads(TensorId x, size_t axis, TensorId y, size_t heads, size_t width) {
  for (int64_t i = 0; i < extent(x, axis); ++i)
    tie(slot(x, axis, i), slot(y, heads, i / extent(y, width)));
  freeze(y, width, "they are one head's");
}

int64_t ChannelTies::extent(TensorId tensor, size_t axis) const {
  return std::max<int64_t>(0, graph_.shape(tensor).at(axis));
}

size_t ChannelTies::slot(TensorId tensor, size_t axis, int64_t index) const {
  return first_.at(tensor).at(axis) + static_cast<size_t>(index);
}

size_t ChannelTies::root(TensorId tensor, size_t axis, int64_t index) const {
  return find(slot(tensor, axis, index));
}

size_t ChannelTies::find(size_t slot) const {
  while (parent_[slot] != slot) slot = parent_[slot];
  return slot;
}

void ChannelTies::tie(size_t a, size_t b) {
  const auto root_a = find(a), root_b = find(b);
  parent_[root_a] = root_b;
  parent_[a] = root_b;  // shortens the way
}

void ChannelTies::tie_axes(TensorId a, size_t axis_a, TensorId b, size_t axis_b) {
  for (int64_t i = 0; i < extent(a, axis_a); ++i) tie(slot(a, axis_a, i), slot(b, axis_b, i));
}

void ChannelTies::tie_all_axes_but(size_t axis, TensorId a, TensorId b) {
  for (size_t other = 0; other < rank(a); ++other)
    if (other != axis) tie_axes(a, other, b, other);
}

void ChannelTies::freeze(TensorId tensor, size_t axis, const std::string& reason) {
  for (int64_t i = 0; i < extent(tensor, axis); ++i)
    frozen_.try_emplace(slot(tensor, axis, i), reason);
}

void ChannelTies::freeze(TensorId tensor, const std::string& reason) {
  for (size_t axis = 0; axis < rank(tensor); ++axis) freeze(tensor, axis, reason);
}

// What holds for a slot holds for its class.
void ChannelTies::settle() {
  std::set<size_t> averaged;
  for (const auto slot : averaged_) averaged.insert(find(slot));
  averaged_ = std::move(averaged);
  std::map<size_t, std::string> frozen;
  for (const auto& [slot, reason] : frozen_) frozen.try_emplace(find(slot), reason);
  frozen_ = std::move(frozen);
}

std::string ChannelTies::frozen(size_t root) const {
  const auto found = frozen_.find(root);
  return found == frozen_.end() ? "" : found->second;
}

}  // namespace plateforge
