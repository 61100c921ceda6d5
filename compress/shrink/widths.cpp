#include "compress/shrink/widths.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <numeric>

#include "configs/error.h"
#include "configs/suggest.h"

namespace plateforge {
namespace {

std::vector<std::string> names_of(const ChannelGroups& groups) {
  std::vector<std::string> names;
  for (const auto& group : groups.groups()) names.push_back(group.name);
  return names;
}

int64_t parse_width(const std::string& entry, size_t equals) {
  int64_t width = 0;
  const auto* end = entry.data() + entry.size();
  const auto [rest, problem] = std::from_chars(entry.data() + equals + 1, end, width);
  require(problem == std::errc() && rest == end, "widths: '", entry,
          "' is not GROUP=CHANNELS with a whole number");
  return width;
}

// ChannelWidths of a group are the present one and whole multiples of this.
int64_t step_of(const ChannelGroup& group, const WidthRules& rules) {
  return std::lcm(rules.multiple, group.unit);
}

bool is_free(const ChannelGroup& group, const WidthRules& rules) {
  return kept_because(group, rules).empty() && !rules.fixed.contains(group.name);
}

// The next smaller width; 0 when there is none.
int64_t narrower(const ChannelGroup& group, int64_t width, const WidthRules& rules) {
  const auto step = step_of(group, rules);
  return is_free(group, rules) ? (width - 1) / step * step : 0;
}

ChannelWidths with_fixed(const ChannelGroups& groups, const WidthRules& rules) {
  auto widths = widths_of(groups);
  for (size_t i = 0; i < widths.size(); ++i)
    if (const auto found = rules.fixed.find(groups.groups()[i].name); found != rules.fixed.end())
      widths[i] = found->second;
  return widths;
}

double best_sum(const std::vector<double>& scores, int64_t count) {
  auto sorted = scores;
  std::sort(sorted.rbegin(), sorted.rend());
  return std::accumulate(sorted.begin(), sorted.begin() + count, 0.0);
}

// What it costs a group to go from one width to another.
double loss(const ChannelGroup& group, const std::vector<double>& scores, int64_t from,
            int64_t to) {
  const double before = best_sum(scores, from / group.unit),
               after = best_sum(scores, to / group.unit);
  if (before <= 0) return 0;
  return after > 0 ? std::log(before / after) : std::numeric_limits<double>::max();
}

}  // namespace

ChannelWidths widths_of(const ChannelGroups& groups) {
  ChannelWidths widths;
  for (const auto& group : groups.groups()) widths.push_back(group.width());
  return widths;
}

std::string kept_because(const ChannelGroup& group, const WidthRules& rules) {
  if (!group.frozen.empty()) return group.frozen;
  return rules.exact && group.averaged ? "a mean over channels sees them" : "";
}

std::map<std::string, int64_t> read_widths(const std::vector<std::string>& entries,
                                           const ChannelGroups& groups, bool exact) {
  std::map<std::string, int64_t> widths;
  for (const auto& entry : entries) {
    const auto equals = entry.rfind('=');
    require(equals != std::string::npos && equals > 0, "widths: '", entry,
            "' is not GROUP=CHANNELS");
    const auto name = entry.substr(0, equals);
    const auto width = parse_width(entry, equals);
    const auto& all = groups.groups();
    const auto group =
        std::find_if(all.begin(), all.end(), [&](const auto& g) { return g.name == name; });
    require(group != all.end(), "widths: no group of channels is called '", name, "'; ",
            known_names(name, names_of(groups)));
    const auto reason = kept_because(*group, {.exact = exact});
    require(reason.empty() || width == group->width(), "widths: ", name, " must keep its ",
            group->width(), " channels: ", reason);
    require(width > 0 && width <= group->width() && width % group->unit == 0, "widths: ", entry,
            " is not possible: it must be ", group->unit > 1 ? "a multiple of " : "within 1 and ",
            group->unit > 1 ? group->unit : group->width(), ", and ", name, " has ",
            group->width());
    widths[name] = width;
  }
  return widths;
}

ChannelWidths shrink_evenly(const ChannelGroups& groups, double ratio, const WidthRules& rules) {
  auto widths = with_fixed(groups, rules);
  for (size_t i = 0; i < widths.size(); ++i) {
    const auto& group = groups.groups()[i];
    const auto step = step_of(group, rules);
    if (!is_free(group, rules) || group.width() <= step) continue;
    const auto wanted = (1 - ratio) * static_cast<double>(group.width());
    const auto steps = std::max<int64_t>(1, std::llround(wanted / static_cast<double>(step)));
    widths[i] = std::min(group.width(), steps * step);
  }
  require(widths != widths_of(groups), "removing ", 100 * ratio,
          " % of the channels leaves every group as it is: widths are multiples of ",
          rules.multiple, ", so ask for more or lower --multiple");
  return widths;
}

ChannelWidths shrink_to_cost(const ChannelGroups& groups, const ChannelScores& scores,
                             const Cost& cost, double target, const WidthRules& rules) {
  auto widths = with_fixed(groups, rules);
  auto narrowest = widths;
  for (size_t i = 0; i < widths.size(); ++i)
    while (const auto next = narrower(groups.groups()[i], narrowest[i], rules)) narrowest[i] = next;
  const double least = cost.share(narrowest);
  require(least <= target, "the ratio cannot be reached: the narrowest widths (multiples of ",
          rules.multiple, ") leave ", 100 * least, " % of the ", cost.of, ", not ", 100 * target,
          " %");
  for (double now = cost.share(widths); now > target;) {
    ChannelWidths best;
    double best_price = std::numeric_limits<double>::infinity(), best_cost = now;
    for (size_t i = 0; i < widths.size(); ++i) {
      const auto& group = groups.groups()[i];
      auto trial = widths;
      trial[i] = narrower(group, widths[i], rules);
      if (trial[i] == 0) continue;
      const double then = cost.share(trial);
      const double saved = std::max(now - then, 1e-3);  // noise must not look like a gain
      const double price = loss(group, scores[i], widths[i], trial[i]) / saved;
      if (price >= best_price) continue;
      best = trial, best_price = price, best_cost = then;
    }
    if (best.empty()) break;
    widths = best, now = best_cost;
  }
  return widths;
}

}  // namespace plateforge
