#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "compress/shrink/channel_scores.h"

namespace plateforge {

// Outputs of the layer that each group is named after, by group.
using ChannelWidths = std::vector<int64_t>;
ChannelWidths widths_of(const ChannelGroups& groups);

// What may be chosen.
struct WidthRules {
  int64_t multiple = 16;                      // widths are the present one or a multiple of this
  bool exact = false;                         // groups that a mean over channels sees stay whole
  std::map<std::string, int64_t> fixed = {};  // by the name of the group
};

// Why a group must stay whole under these rules; empty when it need not.
std::string kept_because(const ChannelGroup& group, const WidthRules& rules);

// "GROUP=CHANNELS" as widths by group. Throws Error for a name that is no group (the known ones are
// listed), a group that must stay whole, and a width that it cannot have.
std::map<std::string, int64_t> read_widths(const std::vector<std::string>& entries,
                                           const ChannelGroups& groups, bool exact);

// Every group that may shrink loses the share `ratio`, rounded to the multiple but never to
// nothing; fixed groups get what they were given. Throws Error when no group gets smaller.
ChannelWidths shrink_evenly(const ChannelGroups& groups, double ratio, const WidthRules& rules);

// What widths cost as a share of the whole network's, and the word for it in messages.
struct Cost {
  std::string of;
  std::function<double(const ChannelWidths&)> share;
};

// Lowers widths until cost.share <= target: each time by the one step (a multiple of the rules in
// one group) with the least loss per unit of cost. A step's loss is the logarithm of the score in
// the group before over after. Throws Error when the narrowest widths cost more, saying how much.
ChannelWidths shrink_to_cost(const ChannelGroups& groups, const ChannelScores& scores,
                             const Cost& cost, double target, const WidthRules& rules);

}  // namespace plateforge
