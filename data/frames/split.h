#pragma once

#include <cstdint>
#include <vector>

#include "data/frame.h"

namespace plateforge {

// A view of some frames of a source, in the given order.
FrameSourcePtr subset(FrameSourcePtr source, std::vector<int64_t> indices);

// The frames of all parts, one after the other, without weights; real when all parts are.
FrameSourcePtr concat(const FrameMix& mix);

struct FrameSplit {
  FrameMix train;
  FrameMix val;
};

// Holds out about `val_fraction` of the photographs by a hash of (seed, text of the first plate;
// name of the frame without one), as split_mix does for plates. Generators stay whole, in `train`.
FrameSplit split_frames(const FrameMix& mix, double val_fraction, uint64_t seed);

}  // namespace plateforge
