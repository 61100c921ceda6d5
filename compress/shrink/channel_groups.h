#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "models/graph/graph.h"

namespace plateforge {

// Which channels of a network can only go together (the dependency groups of DepGraph, Fang et al.
// 2023), computed on the traced graph one channel at a time: a channel is a set of places, each an
// index along an axis of a weight, a bias, a norm or an activation.

// Channels that the same layer makes and that are alike: any of them may go.
struct ChannelGroup {
  std::string name;      // the first layer that makes them
  int64_t channels = 0;  // elements that can be removed
  int64_t unit = 1;  // outputs of that layer per element: more than 1 before grouped convolutions
  std::string frozen = {};  // why all of them must stay; empty = they may go
  bool averaged = false;    // a mean over channels sees them

  // Strided slices that read the group: the network takes every `step`-th channel whatever their
  // number, so channels are put back in an order in which the slice finds its own again.
  struct Slice {
    int64_t start = 0, step = 1;
    bool takes(int64_t position) const {
      return position >= start && (position - start) % step == 0;
    }
    bool operator==(const Slice&) const = default;
  };
  std::vector<Slice> slices = {};

  int64_t width() const { return channels * unit; }
};

// The channels that stay: for each group the elements in their new order.
using ChannelPlan = std::vector<std::vector<int64_t>>;

class ChannelGroups {
 public:
  // `graph` is a trace with an open batch that still has its BatchNorms. What the rules below do
  // not follow is frozen, as are the network's input and output:
  //   layers, norms, pooling, activations, arithmetic   index i -> i; operands of extent 1 are free
  //   grouped convolutions    whole groups, inputs with outputs; depthwise ones channel by channel
  //   concatenation           i -> offset + i
  //   slices of every step-th channel to the end        i -> start + i * step
  //   slices that take equal parts (packed queries, keys, values)   all parts lose the same ones
  //   reshapes that merge channels with what is behind them (flatten)     i -> its block
  //   reshapes that split channels in two and products of two activations  the heads of attention:
  //     whole heads go, in queries, keys and values at once
  explicit ChannelGroups(const Graph& graph);

  const std::vector<ChannelGroup>& groups() const { return groups_; }

  // The element that an index along an axis belongs to; group -1 = always stays.
  struct Member {
    int64_t group = -1, element = 0;
  };
  const std::vector<Member>& members(TensorId tensor, size_t axis) const {
    return members_.at(tensor).at(axis);  // empty for the open batch
  }

  // Every channel.
  ChannelPlan all() const;
  // The channels with the highest scores (one per element), `counts` of them in each group, in an
  // order that the group's slices accept.
  ChannelPlan best(const std::vector<std::vector<double>>& scores,
                   const std::vector<int64_t>& counts) const;
  // Old indices along an axis in their new order.
  std::vector<int64_t> kept(const ChannelPlan& plan, TensorId tensor, size_t axis) const;

 private:
  std::vector<ChannelGroup> groups_;
  std::vector<std::vector<std::vector<Member>>> members_;  // by tensor, axis, index
};

// The same computation without the channels that `plan` leaves out: shapes, attributes and the
// values of constants. With `values` false the constants keep their values and only shapes are
// right, which is enough to count.
Graph without_channels(const Graph& graph, const ChannelGroups& groups, const ChannelPlan& plan,
                       bool values = true);

}  // namespace plateforge
