#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "configs/visit.h"

namespace plateforge {

// Structured pruning: how many channels go, and which.
struct ShrinkConfig {
  double ratio = 0;
  std::string by = "channels";
  std::vector<std::string> widths = {};
  int64_t multiple = 16;
  std::string scores = "norm";
  int64_t steps = 1;
  bool exact = false;
  int64_t calibration = 512;

  template <class V>
  void visit(V& v) {
    v("ratio", ratio, "share that goes; below 1", in_range(0.0, 1.0));
    v("by", by, "what the ratio counts", one_of({"channels", "macs", "latency"}));
    v("widths", widths, "list of GROUP=CHANNELS, groups that have their own width", Anything{});
    v("multiple", multiple, "widths are multiples of this; below 8 nothing gets faster",
      in_range(1, 1024));
    v("scores", scores, "which channels of a group go first", one_of({"norm", "lamp", "taylor"}));
    v("steps", steps, "rounds, with new scores and BatchNorm statistics in each",
      in_range(1, 1000));
    v("exact", exact, "leave channels alone that a mean over channels sees", Anything{});
    v("calibration", calibration, "plates for BatchNorm statistics and Taylor scores",
      in_range(16, 1e6));
  }
};

}  // namespace plateforge
