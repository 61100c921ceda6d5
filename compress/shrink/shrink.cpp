#include "compress/shrink/shrink.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <sstream>

#include "compress/batch_norm.h"
#include "configs/error.h"
#include "models/graph/trace.h"
#include "models/graph_network.h"
#include "models/model_file.h"
#include "models/replace_tensors.h"

namespace plateforge {
namespace {

Graph open_graph(Network& network, Shape image_shape) {
  image_shape.at(0) = -1;
  return trace(network, image_shape);
}

std::vector<int64_t> counts_of(const ChannelGroups& groups, const ChannelWidths& widths) {
  std::vector<int64_t> counts;
  for (size_t i = 0; i < widths.size(); ++i) counts.push_back(widths[i] / groups.groups()[i].unit);
  return counts;
}

// The first line in which two texts differ; empty when they are equal.
std::string first_difference(const std::string& expected, const std::string& came) {
  std::istringstream left(expected), right(came);
  for (std::string a, b;;) {
    const bool more_left = static_cast<bool>(std::getline(left, a));
    const bool more_right = static_cast<bool>(std::getline(right, b));
    if (!more_left && !more_right) return "";
    if (!more_left || !more_right || a != b)
      return "it computes " + (more_right ? b : "nothing") + ", not " + (more_left ? a : "nothing");
  }
}

// What differs between what a module now computes and `expected`.
std::string difference(Network& network, const Shape& image_shape, const Graph& expected) try {
  return first_difference(dump(expected), dump(open_graph(network, image_shape)));
} catch (const c10::Error& problem) {
  const std::string text = problem.what_without_backtrace();
  return text.substr(0, text.find('\n'));
}

}  // namespace

void select_channels(Network& network, const Shape& image_shape, const Graph& shrunk) {
  const std::string origin = "structured pruning";
  const auto own = state_dict(network);
  TensorDict before, after;
  for (const auto& tensor : shrunk.tensors) {
    const bool is_own = tensor.origin == Origin::parameter || tensor.origin == Origin::buffer;
    if (!is_own || own.at(tensor.name).sizes() == tensor.shape) continue;
    before[tensor.name] = own.at(tensor.name).detach().clone();
    after[tensor.name] = tensor.value;
  }
  replace_tensors(network, after, origin);
  const auto problem = difference(network, image_shape, shrunk);
  if (problem.empty()) return;
  replace_tensors(network, before, origin);
  fail("the network's code does not follow fewer channels: ", problem);
}

Shrinker::Shrinker(Network& network, const Shape& image_shape, const ShrinkConfig& config,
                   Calibration calibration, Gradients gradients)
    : network_(network),
      image_shape_(image_shape),
      config_(config),
      calibration_(std::move(calibration)),
      gradients_(std::move(gradients)) {
  require(dynamic_cast<GraphNetwork*>(&network) == nullptr,
          "channels are removed from float networks, this one is folded or quantised already: ",
          "remove channels first, quantise afterwards");
  require(config.ratio < 1, "ratio = ", config.ratio,
          " must lie in [0, 1): a layer without channels computes nothing");
  require(config.ratio > 0 || !config.widths.empty(),
          "nothing to remove: give a ratio above 0 or widths");
  require(config.scores != "taylor" || gradients_,
          "scores = taylor needs plates to measure on: name some of the training half with ",
          "--calibrate");
  const auto graph = open_graph(network, image_shape_);
  const ChannelGroups groups(graph);
  rules_ = {.multiple = config.multiple,
            .exact = config.exact,
            .fixed = read_widths(config.widths, groups, config.exact)};
  start_ = goal_ = widths_of(groups);
  if (config.by == "channels" && config.ratio > 0) {
    goal_ = shrink_evenly(groups, config.ratio, rules_);
  } else {
    for (size_t i = 0; i < goal_.size(); ++i)
      if (const auto found = rules_.fixed.find(groups.groups()[i].name);
          found != rules_.fixed.end())
        goal_[i] = found->second;
  }
  whole_cost_ = cost(graph);
  fits_estimated_norms_ = fits_estimated_norms(network_, calibration_);
}

ShrinkReport Shrinker::shrink() {
  const auto before = open_graph(network_, image_shape_);
  for (int64_t step = 1; step <= config_.steps; ++step)
    remove(static_cast<double>(step) / static_cast<double>(config_.steps));
  return report(before, open_graph(network_, image_shape_));
}

void Shrinker::remove(double progress) {
  const auto graph = open_graph(network_, image_shape_);
  const ChannelGroups groups(graph);
  const auto scores = channel_scores(graph, groups, config_.scores,
                                     config_.scores == "taylor" ? gradients_() : TensorDict{});
  const auto widths = choose(graph, groups, scores, progress);
  const auto plan = groups.best(scores, counts_of(groups, widths));
  select_channels(network_, image_shape_, without_channels(graph, groups, plan));
  if (fits_estimated_norms_) estimate_batch_norm(network_, calibration_);
}

ChannelWidths Shrinker::choose(const Graph& graph, const ChannelGroups& groups,
                               const ChannelScores& scores, double progress) {
  const auto planned = on_the_way(groups, goal_, progress);
  if (config_.by == "channels" || config_.ratio == 0) return planned;
  auto rules = rules_;
  for (size_t i = 0; i < planned.size(); ++i)
    if (auto found = rules.fixed.find(groups.groups()[i].name); found != rules.fixed.end())
      found->second = planned[i];
  const Cost share{config_.by, [&](const ChannelWidths& widths) {
                     const auto plan = groups.best(scores, counts_of(groups, widths));
                     const auto shrunk = without_channels(graph, groups, plan, /*values=*/false);
                     return cost(shrunk) / whole_cost_;
                   }};
  return shrink_to_cost(groups, scores, share, std::pow(1 - config_.ratio, progress), rules);
}

// ChannelWidths between start and goal, by equal factors, in multiples where that fits.
ChannelWidths Shrinker::on_the_way(const ChannelGroups& groups, const ChannelWidths& goal,
                                   double progress) const {
  if (progress >= 1) return goal;
  const auto now = widths_of(groups);
  ChannelWidths widths;
  for (size_t i = 0; i < goal.size(); ++i) {
    const auto step = static_cast<double>(std::lcm(rules_.multiple, groups.groups()[i].unit));
    const auto start = static_cast<double>(start_[i]);
    const auto exact = start * std::pow(static_cast<double>(goal[i]) / start, progress);
    const auto width = static_cast<int64_t>(std::round(exact / step) * step);
    widths.push_back(std::clamp(width, goal[i], now[i]));
  }
  return widths;
}

double Shrinker::cost(const Graph& graph) {
  return config_.by == "latency" ? latency_.microseconds(graph) : static_cast<double>(macs(graph));
}

// Of the layers and norms whose outputs are channels of the group.
LayerCosts Shrinker::costs(const Graph& graph, const ChannelGroups& groups, int64_t group) {
  LayerCosts sum{.channels = groups.groups()[static_cast<size_t>(group)].width()};
  for (const auto& node : graph.nodes) {
    const bool is_layer = node.as<op::Conv>() || node.as<op::Linear>() || node.as<op::BatchNorm>();
    if (!is_layer) continue;
    const auto axis = node.as<op::Linear>() ? graph.shape(node.output).size() - 1 : 1;
    if (groups.members(node.output, axis).at(0).group != group) continue;
    sum.parameters += parameters(graph, node);
    sum.macs += macs(graph, node);
    sum.microseconds += latency_.microseconds(graph, node);
  }
  return sum;
}

ShrinkReport Shrinker::report(const Graph& before, const Graph& after) {
  const ChannelGroups wide(before), narrow(after);
  ShrinkReport report;
  const auto total = [](const Graph& graph, const ChannelWidths& widths) {
    return LayerCosts{.channels = std::accumulate(widths.begin(), widths.end(), int64_t{0}),
                      .parameters = parameters(graph),
                      .macs = macs(graph),
                      .microseconds = network_microseconds(graph)};
  };
  for (int64_t i = 0; i < std::ssize(wide.groups()); ++i) {
    const auto& group = wide.groups()[static_cast<size_t>(i)];
    report.groups.push_back({.name = group.name,
                             .kept_because = kept_because(group, rules_),
                             .before = costs(before, wide, i),
                             .after = costs(after, narrow, i)});
  }
  report.before = total(before, widths_of(wide));
  report.after = total(after, widths_of(narrow));
  return report;
}

}  // namespace plateforge
