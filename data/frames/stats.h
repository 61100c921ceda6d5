#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "data/frame.h"

namespace plateforge {

// Counts over all frames: `frames`, `plates`, `ignored`, `with_corners`, `with_text`, `parts`,
// `plates_per_frame` (number of plates -> frames), and of the plates that are not ignored `width`,
// `height` (pixels, of the outline's sides), `aspect` (width / height) and `tilt` (degrees of the
// middle line, above 0 clockwise; known corners only), each with `p5`, `p50`, `p95` and `histogram`
// (lower bounds -> plates). No picture is decoded. `threads`: 0 = one per core.
nlohmann::json frame_stats(const FrameMix& mix, int64_t threads = 0);

// The same for people.
std::string frame_stats_table(const nlohmann::json& stats);

}  // namespace plateforge
