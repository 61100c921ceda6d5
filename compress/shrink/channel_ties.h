#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "models/graph/graph.h"

namespace plateforge {

// Union-find over every index along every axis of a graph's tensors: which of them a removed
// channel takes with it. channel_groups.h has the rules.
class ChannelTies {
 public:
  explicit ChannelTies(const Graph& graph);

  // A slice of every step-th index from `start` to the end of the axis.
  struct StridedSlice {
    TensorId tensor;
    size_t axis;
    int64_t start, step;
    std::string node;
  };
  const std::vector<StridedSlice>& slices() const { return slices_; }

  // The class that an index belongs to.
  size_t root(TensorId tensor, size_t axis, int64_t index) const;
  // Why a class must stay; empty when it need not.
  std::string frozen(size_t root) const;
  // Is a mean taken over it?
  bool averaged(size_t root) const { return averaged_.contains(root); }

 private:
  void follow(const Node& node);
  void follow_conv(const op::Conv& conv, const Node& node);
  void follow_linear(const Node& node);
  void follow_product(const Node& node);
  void follow_broadcast(const Node& node);
  void follow_mean(const op::Mean& mean, const Node& node);
  void follow_slice(const op::Slice& slice, const Node& node);
  bool is_part_of_pack(const op::Slice& slice, const Node& node) const;
  void follow_concat(const op::Concat& concat, const Node& node);
  void follow_reshape(const Node& node);
  void split_heads(TensorId x, size_t axis, TensorId y, size_t heads, size_t width);

  int64_t extent(TensorId tensor, size_t axis) const;  // 0 for the open batch
  size_t rank(TensorId tensor) const { return graph_.shape(tensor).size(); }
  size_t slot(TensorId tensor, size_t axis, int64_t index) const;
  size_t find(size_t slot) const;
  void tie(size_t a, size_t b);
  void tie_axes(TensorId a, size_t axis_a, TensorId b, size_t axis_b);
  void tie_all_axes_but(size_t axis, TensorId a, TensorId b);
  void freeze(TensorId tensor, size_t axis, const std::string& reason);
  void settle();
  void freeze(TensorId tensor, const std::string& reason);

  const Graph& graph_;
  std::vector<std::vector<size_t>> first_;  // slot of index 0 by tensor and axis
  std::vector<size_t> parent_;              // of a slot; itself at the root of a class
  std::set<size_t> averaged_;               // slots, in the end roots
  std::map<size_t, std::string> frozen_;    // the same
  std::vector<StridedSlice> slices_;
};

}  // namespace plateforge
