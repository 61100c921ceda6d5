#pragma once

#include <cstdint>
#include <map>

#include "configs/run_config.h"

namespace plateforge {

// When a pruned training cuts, and how far it is by then. With u from 0 to 1 between begin and end:
//   one_shot     all at begin
//   cubic        ratio * (1 - (1 - u)^3), every config.every updates (Zhu and Gupta 2017, arXiv
//                1710.01878)
//   exponential  density = (1 - ratio)^u, every config.every updates (as NNCF does)
//   multi_step   equal parts of the ratio at config.milestones
//   iterative    config.rounds cuts, each of the same share of what is left
class SparsitySchedule {
 public:
  // Throws Error when the last cut lies beyond the run, when begin is not before end, and for
  // multi_step without ascending milestones.
  SparsitySchedule(const PruneConfig& config, int64_t steps);

  // Is there a cut after this many updates?
  bool cuts_at(int64_t updates) const { return progress_.contains(updates); }
  // Share of a layer's weights that is gone after this many updates, when it loses `ratio` in all.
  double ratio(double ratio, int64_t updates) const;
  // No cut comes after this many updates.
  bool finished(int64_t updates) const { return updates >= progress_.rbegin()->first; }

 private:
  std::map<int64_t, double> progress_;  // updates -> share of the way from then on
  bool geometric_;                      // equal shares of what is left, not of the whole
};

}  // namespace plateforge
