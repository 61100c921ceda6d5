#include "compress/prune/sparsity_schedule.h"

#include <cmath>

#include "configs/error.h"

namespace plateforge {
namespace {

std::map<int64_t, double> equal_parts(const std::vector<int64_t>& updates) {
  std::map<int64_t, double> progress;
  const auto parts = static_cast<double>(updates.size());
  for (size_t i = 0; i < updates.size(); ++i) {
    require(i == 0 || updates[i] > updates[i - 1], "prune.milestones must ascend");
    progress[updates[i]] = static_cast<double>(i + 1) / parts;
  }
  return progress;
}

std::map<int64_t, double> ramp(int64_t begin, int64_t end, int64_t every) {
  std::map<int64_t, double> progress;
  for (int64_t at = begin; at < end; at += every)
    progress[at] = static_cast<double>(at - begin) / static_cast<double>(end - begin);
  progress[end] = 1;
  return progress;
}

std::vector<int64_t> spread(int64_t begin, int64_t end, int64_t rounds) {
  std::vector<int64_t> updates;
  for (int64_t i = 0; i < rounds; ++i)
    updates.push_back(begin + (end - begin) * i / std::max<int64_t>(rounds - 1, 1));
  return updates;
}

}  // namespace

SparsitySchedule::SparsitySchedule(const PruneConfig& config, int64_t steps)
    : geometric_(config.schedule == "exponential" || config.schedule == "iterative") {
  const auto end = config.end > 0 ? config.end : std::max(config.begin, steps * 2 / 3);
  if (config.schedule == "one_shot") {
    progress_[config.begin] = 1;
  } else if (config.schedule == "multi_step") {
    require(!config.milestones.empty(), "prune.schedule = multi_step needs prune.milestones");
    progress_ = equal_parts(config.milestones);
  } else {
    const bool rounds = config.schedule == "iterative";
    require(end - config.begin >= (rounds ? config.rounds - 1 : 1), "prune.begin = ", config.begin,
            " leaves ", config.schedule, " too few updates before prune.end = ", end);
    progress_ = rounds ? equal_parts(spread(config.begin, end, config.rounds))
                       : ramp(config.begin, end, config.every);
  }
  for (auto& [updates, share] : progress_)
    if (config.schedule == "cubic") share = 1 - std::pow(1 - share, 3);
  require(finished(steps), "the last weights go after ", progress_.rbegin()->first,
          " updates but train.steps = ", steps, ": set prune.end or prune.milestones");
}

double SparsitySchedule::ratio(double ratio, int64_t updates) const {
  const auto next = progress_.upper_bound(updates);
  if (next == progress_.begin()) return 0;
  const double share = std::prev(next)->second;
  if (share == 1) return ratio;
  return geometric_ ? 1 - std::pow(1 - ratio, share) : ratio * share;
}

}  // namespace plateforge
