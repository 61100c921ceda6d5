#pragma once

#include "data/loader.h"

namespace plateforge {

// Batches for pre-training: those of `plates` with patch_order, a random order of the `patches`
// patches of each picture. It follows from (seed, position in training) alone.
BatchMakerPtr make_masked_batches(BatchMakerPtr plates, int64_t patches, uint64_t seed);

}  // namespace plateforge
