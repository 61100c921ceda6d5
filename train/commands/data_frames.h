#pragma once

#include "data/frames/open_frames.h"
#include "train/commands/commands.h"

namespace plateforge {

// What `data verify`, `stats` and `preview` do with a SPEC of frames.
struct FrameData {
  std::string spec;
  Region region;
  uint64_t seed = 1;
  int64_t threads = 0;

  FrameMix open(std::vector<Violation>* violations = nullptr) const {
    return open_frames(spec, region, seed, violations);
  }
};

// What `data verify` found, in plates or frames.
struct Verified {
  std::vector<Violation> violations;
  int64_t samples = 0;
  double index_seconds = 0;  // to open the SPEC
};
Verified verify_frame_data(const FrameData& data);
int stats_frame_data(const FrameData& data, const std::string& json);
// Training views as `config` says; without one, 320 x 320 and the defaults.
cv::Mat preview_frame_data(const FrameData& data, const std::string& config, int64_t rows,
                           int64_t variants);

}  // namespace plateforge
