#pragma once

#include <cstdint>
#include <vector>

#include "data/open.h"

namespace plateforge {

// A view of some plates of a source, in the given order.
PlateSourcePtr subset(PlateSourcePtr source, std::vector<int64_t> indices);

struct Split {
  Mix train, val;
};

// Holds out a share of the real plates by their text: the texts of all real parts are ordered by a
// hash with the seed and the first share of them goes to validation with every plate that carries
// it, so that no text is in both. Generators stay in train. A generator made from real plates
// (recombine) must be built from the train view, or validation plates leak through it.
// Throws Error when either side of a non-zero share would be empty.
Split split_mix(const Mix& mix, double val_fraction, uint64_t seed);

}  // namespace plateforge
