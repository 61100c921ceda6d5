#pragma once

#include <cstdint>

#include <vector>

#include "configs/region.h"
#include "data/open.h"
#include "data/plate.h"

namespace plateforge {

struct RecombineOptions {
  int64_t count = 100000;  // plates per epoch
  // How the result is framed: as its photograph was, by the plate's own corners, or by their
  // upright box; shares of the three, any positive sum.
  double original = 0.5, rectified = 0.25, upright = 0.25;
  // A symbol that no photograph shows is drawn from fonts, weighted like this many photographed
  // ones (and less often than those); 0 = never.
  double rendered = 0.3;
  // Photographs are kept when their text block correlates at least this well with the expected ink.
  double min_score = 0.7;
  int64_t max_plates = 6000;  // bounds memory, about 60 KB each
};

// New plates from photographs: the characters of a real plate are replaced, one to all of them, by
// cells cut from other real plates, levelled to the plate they land on and seen through its
// perspective, so that frame, surroundings, light and tilt stay real. Texts follow the layout of
// the plate, rare symbols more often than they were photographed. Aligns all photographs at
// construction (about 20 ms each, all cores). Plates vary with the epoch; text() is that of epoch
// 0. Throws Error when no photograph can be aligned with a layout of the region.
PlateSourcePtr make_recombined(const std::vector<PlateSourcePtr>& real, const Region& region,
                               const RecombineOptions& options, uint64_t seed);

// SPEC `recombine:DIR?from=crops|ccpd|csv&count=N&seed=S`.
PlateSourcePtr make_recombine_source(const SpecPart& part, const Region& region,
                                     const CropOptions& crop, uint64_t seed);

}  // namespace plateforge
