#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "compress/calibration.h"
#include "compress/shrink/latency.h"
#include "compress/shrink/widths.h"
#include "configs/shrink_config.h"
#include "models/network.h"

namespace plateforge {

// Gives the network the tensors of `shrunk`, a trace of it without some channels: the module stays,
// its layers get narrower. Throws Error, with the network as it was, when the module's forward does
// not follow (it has channel counts written into it). `image_shape` is [1, 3, H, W].
void select_channels(Network& network, const Shape& image_shape, const Graph& shrunk);

// Extents and costs of a network, or of the layers of one group.
struct LayerCosts {
  int64_t channels = 0, parameters = 0, macs = 0;
  double microseconds = 0;  // LibTorch, one thread, one image
};

struct ShrinkReport {
  struct Group {
    std::string name, kept_because;
    LayerCosts before, after;
  };
  std::vector<Group> groups;
  LayerCosts before, after;  // the whole network; channels of all groups

  // groups by name {channels, parameters, macs, microseconds, each also _before; kept_because};
  // the same of all.
  nlohmann::json to_json() const;
  std::string to_text() const;
  std::string widths() const;  // JSON: group -> channels
};

// The key of a model file's metadata that keeps ShrinkReport::widths().
inline constexpr const char* kWidthsKey = "widths";

// Removes channels from a network in place, as its config says, in rounds: score, choose widths,
// remove, estimate BatchNorm statistics anew where there are plates.
class Shrinker {
 public:
  // `gradients` (by parameter, of the network as it is) are asked for by Taylor scores alone.
  // Throws Error for a config that cannot be followed and for a network that is a graph already.
  using Gradients = std::function<TensorDict()>;
  Shrinker(Network& network, const Shape& image_shape, const ShrinkConfig& config,
           Calibration calibration = {}, Gradients gradients = nullptr);

  // Throws Error when the ratio cannot be reached.
  ShrinkReport shrink();

 private:
  void remove(double progress);
  ChannelWidths choose(const Graph& graph, const ChannelGroups& groups, const ChannelScores& scores,
                       double progress);
  ChannelWidths on_the_way(const ChannelGroups& groups, const ChannelWidths& goal,
                           double progress) const;
  double cost(const Graph& graph);
  LayerCosts costs(const Graph& graph, const ChannelGroups& groups, int64_t group);
  ShrinkReport report(const Graph& before, const Graph& after);

  Network& network_;
  Shape image_shape_;
  ShrinkConfig config_;
  Calibration calibration_;
  bool fits_estimated_norms_ = true;
  Gradients gradients_;
  LatencyTable latency_;
  WidthRules rules_;
  ChannelWidths start_, goal_;  // goal_ where the config gives widths rather than a cost
  double whole_cost_ = 0;
};

}  // namespace plateforge
