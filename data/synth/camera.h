#pragma once

#include "data/plate.h"
#include "data/rng.h"
#include "data/synth/painter.h"

namespace plateforge {

// A photograph of a painted plate: perspective, light, blur, noise and compression. `width` is the
// plate's width in the photograph, in pixels. The quad is the plate's corners; text and source are
// the caller's.
Plate photograph(const Painting& painting, int width, Rng& rng);

}  // namespace plateforge
