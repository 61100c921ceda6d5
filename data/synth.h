#pragma once

#include <cstdint>

#include "configs/region.h"
#include "data/open.h"
#include "data/plate.h"

namespace plateforge {

// SPEC `synth:REGION?count=N&seed=S`: plates drawn from a region pack. REGION is a pack's name or
// path; its labels must be writable in `region`, the alphabet of the network. A plate is painted in
// millimetre geometry (fonts, bands, border, marks, screws, frame, embossing, dirt), put before a
// textured surround, seen in perspective and passed through a camera (light, blur, noise, JPEG).
// Half of the plates are framed by their exact corners and half by an upright box like that of a
// detector. Deterministic per (seed, epoch, index); text() is that of epoch 0.
// Throws Error when none of the pack's fonts is installed or a label cannot be written.
PlateSourcePtr make_synth_source(const SpecPart& part, const Region& region, uint64_t seed);

}  // namespace plateforge
