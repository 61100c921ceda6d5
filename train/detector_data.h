#pragma once

#include "configs/region.h"
#include "configs/run_config.h"
#include "data/frame.h"

namespace plateforge {

// The frames of a detector's run. No plate text of `val` occurs in the photographs of `train`.
struct DetectorData {
  FrameMix train;  // weighted
  FrameMix val;    // photographs, each once
};

// Opens data.train and data.val, or holds out data.val_fraction of the training photographs: all
// frames with the same plates fall on the same side. Throws Error when nothing is left to validate
// on, and for everything open_frames() refuses.
DetectorData open_detector_data(const RunConfig& config, const Region& region);

}  // namespace plateforge
