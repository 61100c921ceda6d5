#include "compress/shrink/channel_groups.h"

#include <torch/utils.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "compress/layers.h"
#include "compress/shrink/channel_ties.h"

namespace plateforge {
namespace {

using Slice = ChannelGroup::Slice;
using Member = ChannelGroups::Member;

std::vector<int64_t> first_numbers(int64_t count) {
  std::vector<int64_t> numbers(static_cast<size_t>(count));
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

// Gives the channels that a layer makes and no earlier one does to a new group.
class Grouping {
 public:
  Grouping(const Graph& graph, const ChannelTies& ties) : graph_(graph), ties_(ties) {}

  void add_layer(const Node& node) {
    const auto axis =
        static_cast<size_t>(channel_axis(node, std::ssize(graph_.shape(node.output))));
    ChannelGroup group{.name = node.name};
    std::map<size_t, int64_t> outputs;  // of this layer by class
    for (int64_t i = 0; i < graph_.shape(node.output).at(axis); ++i) {
      const auto root = ties_.root(node.output, axis, i);
      const Member next{static_cast<int64_t>(groups.size()), group.channels};
      if (known_.try_emplace(root, next).second) ++group.channels;
      if (known_[root].group == next.group) ++outputs[root];
    }
    if (group.channels == 0) return;
    group.unit = outputs.begin()->second;
    for (const auto& [root, count] : outputs) {
      if (count != group.unit) group.frozen = "they go in parts of different size";
      if (const auto reason = ties_.frozen(root); !reason.empty()) group.frozen = reason;
      group.averaged |= ties_.averaged(root);
    }
    groups.push_back(std::move(group));
  }

  Member member(TensorId tensor, size_t axis, int64_t index) const {
    const auto found = known_.find(ties_.root(tensor, axis, index));
    return found == known_.end() ? Member{} : found->second;
  }

  std::vector<ChannelGroup> groups;

 private:
  const Graph& graph_;
  const ChannelTies& ties_;
  std::map<size_t, Member> known_;  // by class
};

// Is the axis the group itself, channel by channel?
bool is_whole_group(const std::vector<Member>& members, const std::vector<ChannelGroup>& groups) {
  const auto group = members.at(0).group;
  if (group < 0 || groups[static_cast<size_t>(group)].channels != std::ssize(members)) return false;
  for (int64_t i = 0; i < std::ssize(members); ++i) {
    const auto& member = members[static_cast<size_t>(i)];
    if (member.group != group || member.element != i) return false;
  }
  return true;
}

void add_slice(const ChannelTies::StridedSlice& slice, const std::vector<Member>& members,
               std::vector<ChannelGroup>& groups) {
  if (is_whole_group(members, groups)) {
    auto& known = groups[static_cast<size_t>(members[0].group)].slices;
    const Slice own{slice.start, slice.step};
    if (std::find(known.begin(), known.end(), own) == known.end()) known.push_back(own);
    return;
  }
  for (const auto& member : members)
    if (member.group >= 0)
      groups[static_cast<size_t>(member.group)].frozen =
          slice.node + " reads some of them together with others";
}

// Which slices read a position.
std::vector<bool> readers(const ChannelGroup& group, int64_t position) {
  std::vector<bool> reads;
  for (const auto& slice : group.slices) reads.push_back(slice.takes(position));
  return reads;
}

// As many of each kind as the first `count` positions have, put where slices expect them.
std::vector<int64_t> best_of(const ChannelGroup& group, const std::vector<double>& scores,
                             int64_t count) {
  std::map<std::vector<bool>, std::vector<int64_t>> candidates;
  for (const auto element : first_numbers(group.channels))
    candidates[readers(group, element)].push_back(element);
  std::map<std::vector<bool>, size_t> wanted, taken;
  for (int64_t position = 0; position < count; ++position) ++wanted[readers(group, position)];
  for (auto& [kind, elements] : candidates) {
    std::stable_sort(elements.begin(), elements.end(), [&](int64_t a, int64_t b) {
      return scores[static_cast<size_t>(a)] > scores[static_cast<size_t>(b)];
    });
    elements.resize(wanted[kind]);
    std::sort(elements.begin(), elements.end());
  }
  std::vector<int64_t> order;
  for (int64_t position = 0; position < count; ++position) {
    const auto kind = readers(group, position);
    order.push_back(candidates[kind][taken[kind]++]);
  }
  return order;
}

// An attribute that was an extent becomes the new extent.
void follow_extent(int64_t& attribute, int64_t before, int64_t after) {
  if (attribute == before) attribute = after;
}

void fit_attributes(Node& node, const Graph& before, const Graph& after) {
  if (auto* slice = std::get_if<op::Slice>(&node.op)) {
    const auto axis = static_cast<size_t>(slice->axis);
    const auto old_extent = before.shape(node.inputs[0])[axis];
    const auto new_extent = after.shape(node.inputs[0])[axis];
    if (slice->step == 1) {  // one of the equal parts, or all
      slice->start = slice->start * new_extent / old_extent;
      slice->stop = slice->stop * new_extent / old_extent;
    } else {
      follow_extent(slice->stop, old_extent, new_extent);
    }
  } else if (auto* reshape = std::get_if<op::Reshape>(&node.op)) {
    for (size_t axis = 0; axis < reshape->shape.size(); ++axis)
      follow_extent(reshape->shape[axis], before.shape(node.output)[axis],
                    after.shape(node.output)[axis]);
  } else if (auto* conv = std::get_if<op::Conv>(&node.op); conv && conv->groups > 1) {
    conv->groups = conv->groups * after.shape(node.output)[1] / before.shape(node.output)[1];
  }
}

}  // namespace

ChannelGroups::ChannelGroups(const Graph& graph) {
  const ChannelTies ties(graph);
  Grouping grouping(graph, ties);
  for (const auto& node : graph.nodes)
    if (node.as<op::Conv>() || node.as<op::Linear>()) grouping.add_layer(node);
  groups_ = std::move(grouping.groups);
  for (TensorId tensor = 0; tensor < graph.tensors.size(); ++tensor) {
    auto& axes = members_.emplace_back();
    for (size_t axis = 0; axis < graph.shape(tensor).size(); ++axis) {
      auto& members = axes.emplace_back();
      for (int64_t i = 0; i < graph.shape(tensor)[axis]; ++i)
        members.push_back(grouping.member(tensor, axis, i));
    }
  }
  for (const auto& slice : ties.slices())
    add_slice(slice, members(slice.tensor, slice.axis), groups_);
}

ChannelPlan ChannelGroups::all() const {
  ChannelPlan plan;
  for (const auto& group : groups_) plan.push_back(first_numbers(group.channels));
  return plan;
}

ChannelPlan ChannelGroups::best(const std::vector<std::vector<double>>& scores,
                                const std::vector<int64_t>& counts) const {
  ChannelPlan plan;
  for (size_t i = 0; i < groups_.size(); ++i) {
    TORCH_CHECK(counts[i] > 0 && counts[i] <= groups_[i].channels, groups_[i].name, ": ", counts[i],
                " channels of ", groups_[i].channels);
    plan.push_back(best_of(groups_[i], scores[i], counts[i]));
  }
  return plan;
}

// An axis is a row of stretches, each of one group in rising order (concatenation puts them side by
// side, slices leave some out, flattening repeats them); within its stretch a group takes its new
// order.
std::vector<int64_t> ChannelGroups::kept(const ChannelPlan& plan, TensorId tensor,
                                         size_t axis) const {
  const auto& all = members(tensor, axis);
  std::map<int64_t, std::map<int64_t, int64_t>> places;  // by group: element -> new place
  const auto place = [&](const Member& member) -> int64_t {
    const auto& order = plan.at(static_cast<size_t>(member.group));
    auto& known = places[member.group];
    if (known.empty())
      for (size_t i = 0; i < order.size(); ++i) known[order[i]] = static_cast<int64_t>(i);
    const auto found = known.find(member.element);
    return found == known.end() ? -1 : found->second;
  };
  std::vector<int64_t> indices;
  std::vector<std::pair<int64_t, int64_t>> stretch;  // new place, old index
  const auto end_stretch = [&] {
    std::sort(stretch.begin(), stretch.end());
    for (const auto& [ignored, index] : stretch) indices.push_back(index);
    stretch.clear();
  };
  for (int64_t i = 0; i < std::ssize(all); ++i) {
    const auto& member = all[static_cast<size_t>(i)];
    const auto* before = i > 0 ? &all[static_cast<size_t>(i - 1)] : nullptr;
    if (before && (before->group != member.group || member.element < before->element))
      end_stretch();
    if (member.group < 0)
      stretch.emplace_back(i, i);
    else if (const auto to = place(member); to >= 0)
      stretch.emplace_back(to, i);
  }
  end_stretch();
  return indices;
}

Graph without_channels(const Graph& graph, const ChannelGroups& groups, const ChannelPlan& plan,
                       bool values) {
  const torch::NoGradGuard no_grad;
  auto after = graph;
  for (TensorId id = 0; id < graph.tensors.size(); ++id) {
    auto& tensor = after.tensors[id];
    for (size_t axis = 0; axis < tensor.shape.size(); ++axis) {
      const auto& members = groups.members(id, axis);
      const bool can_shrink = std::any_of(members.begin(), members.end(),
                                          [](const auto& member) { return member.group >= 0; });
      if (!can_shrink) continue;
      const auto kept = groups.kept(plan, id, axis);
      tensor.shape[axis] = std::ssize(kept);
      if (values && tensor.is_constant())
        tensor.value = tensor.value.index_select(static_cast<int64_t>(axis),
                                                 torch::tensor(kept).to(tensor.value.device()));
    }
  }
  for (auto& node : after.nodes) fit_attributes(node, graph, after);
  return after;
}

}  // namespace plateforge
