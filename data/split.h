#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "data/open.h"

namespace plateforge {

// A view of some plates of a source, in the given order.
PlateSourcePtr subset(PlateSourcePtr source, std::vector<int64_t> indices);

// Whether what goes by this name is held out: a hash of (seed, text) decides.
bool held_out(const std::string& text, double val_fraction, uint64_t seed);

struct TrainVal {
  Mix train;
  Mix val;
};

// Holds out about `val_fraction` of the real plates by a hash of (seed, text): all pictures of one
// plate fall on the same side, whatever source they come from, and adding plates moves none of the
// others. Generators stay whole, in `train`.
TrainVal split_mix(const Mix& mix, double val_fraction, uint64_t seed);

}  // namespace plateforge
